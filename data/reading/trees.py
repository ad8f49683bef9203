"""Steps that the listings of official directory trees share."""

import os
import sys
from collections.abc import Iterable
from typing import NamedTuple

from data.reading import paths, samples
from panoptic import images as images_lib
from panoptic import natural_order

_SPLITS = ('train', 'val')


class TwoFolders(NamedTuple):
  """A tree of `<images>/<split>` and `<labels>/<split>`, of train and val.

  Attributes:
    images: The folder of the images.
    labels: The folder of the labels.
    layout: The folders that the root must hold, for messages.
  """

  images: str
  labels: str
  layout: str

  def is_root(self, folder: str) -> bool:
    """Whether a folder is the root of such a tree."""
    return paths.has_folders(folder, (self.images, self.labels))

  def splits(self, root: str) -> list[str]:
    """The splits that have images; the first one if none has.

    A split that has labels alone is named on the error stream.
    """
    found = []
    for split in _SPLITS:
      images, labels = f'{self.images}/{split}', f'{self.labels}/{split}'
      if paths.has_folders(root, [images]):
        found.append(split)
      elif paths.has_folders(root, [labels]):
        print(
          f'{split} is left out: {root} has {labels}, but no {images}',
          file=sys.stderr,
        )
    return found or list(_SPLITS[:1])

  def folders_of(self, root: str, split: str) -> list[str]:
    """The paths of a split's images and labels.

    Raises:
      FileNotFoundError: If one does not exist.
      PermissionError: If one may not be read.
    """
    found = [
      os.path.join(root, part, split) for part in (self.images, self.labels)
    ]
    for folder in found:
      paths.require(
        folder,
        f'the folder must hold {self.layout}'
        + paths.nearby(root, self.is_root),
      )
    return found


def frames(
  sequence: str,
  images: str,
  labels: str,
  image_ending: str,
  first_id: int,
  first_frame: int | None = None,
) -> list[samples.Sample]:
  """The frames `<number>.png` of a sequence, which must have no gaps.

  Args:
    sequence: Its name.
    images: The folder of its images.
    labels: The folder of its labels.
    image_ending: Of the images' names; labels end in '.png'.
    first_id: The image id of the first frame; the others count on.
    first_frame: The number of the first frame; None: any.

  Raises:
    FileNotFoundError: If there is no frame, or if one lacks both files.
    PermissionError: If a folder may not be read.
    ValueError: If an image has another ending, or two have one number.
  """
  names = [
    name
    for name in paths.listing(images)
    if natural_order.is_number(os.path.splitext(name)[0])
  ]
  check_endings(images, names, image_ending)
  # One of the two may be missing, which the check of files finds.
  of_images = _numbers(images, names, image_ending)
  of_labels = _numbers(labels, paths.listing(labels), '.png')
  stems = {**of_labels, **of_images}
  if not stems:
    raise FileNotFoundError(
      f'{images} has no frame <number>{image_ending}: unpack the sequence '
      'again, or remove its folder'
    )
  start = min(stems) if first_frame is None else first_frame
  for number in range(start, max(stems)):
    if number not in stems:
      raise FileNotFoundError(
        f'{images} lacks frame {number}, between {start} and {max(stems)}: '
        'frames must be without gaps, so fetch it again'
      )
  return [
    samples.Sample(
      name=f'{sequence}/{stems[number]}.png',
      image=os.path.join(images, stems[number] + image_ending),
      labels=os.path.join(labels, f'{stems[number]}.png'),
      image_id=first_id + frame,
      sequence=sequence,
      frame=frame,
    )
    for frame, number in enumerate(range(start, max(stems) + 1))
  ]


def check_endings(folder: str, names: Iterable[str], ending: str) -> None:
  """Refuses images that would be the tree's but for their kind of file.

  Args:
    folder: Where they are.
    names: In that folder.
    ending: Of the names of the tree's images, as '_leftImg8bit.png'.

  Raises:
    ValueError: If there are such; names the first.
  """
  names = set(names)
  tail, _, kind = ending.rpartition('.')
  others = []
  for name in sorted(names):
    stem, other = os.path.splitext(name)
    is_image = other.lower() in images_lib.ENDINGS and stem.endswith(tail)
    if is_image and f'{stem}.{kind}' not in names:
      others.append(name)
  if others:
    more = f' (and {len(others) - 1} more files there)' if others[1:] else ''
    raise ValueError(
      f'{os.path.join(folder, others[0])}{more} must end in {ending}: save it '
      f'as {kind.upper()} with that ending'
    )


def _numbers(folder: str, names: Iterable[str], ending: str) -> dict[int, str]:
  """The names without the ending, by their numbers; others are left out.

  Raises:
    ValueError: If two have one number.
  """
  found: dict[int, str] = {}
  for name in names:
    stem = name.removesuffix(ending)
    if stem == name or not natural_order.is_number(stem):
      continue
    other = found.setdefault(int(stem), stem)
    if other != stem:
      raise ValueError(
        f'two frames in {folder}, {other} and {stem}, have one number: rename '
        'or remove one'
      )
  return found
