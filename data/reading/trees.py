"""Steps that the listings of official directory trees share."""

import os
import sys
from collections.abc import Iterable, Sequence

from data.reading import paths, samples


def require_folders(
  root: str, names: Sequence[str], expected: str, is_root
) -> list[str]:
  """The paths of folders within a data set's root.

  Args:
    root: The root.
    names: The folders, which may hold a '/'.
    expected: The folders that the root must hold, for the message.
    is_root: Tells whether another folder is such a root, for the message.

  Raises:
    FileNotFoundError: If one does not exist.
    PermissionError: If one may not be read.
  """
  found = [os.path.join(root, name) for name in names]
  for folder in found:
    paths.require(
      folder, f'the folder must hold {expected}' + paths.nearby(root, is_root)
    )
  return found


def splits_with_images(
  root: str, images: str, labels: str, splits: Sequence[str]
) -> list[str]:
  """The splits that have `<images>/<split>`; the first one if none has.

  A split that has labels alone is named on the error stream.
  """
  found = []
  for split in splits:
    if paths.has_folders(root, [f'{images}/{split}']):
      found.append(split)
    elif paths.has_folders(root, [f'{labels}/{split}']):
      print(
        f'{split} is left out: {root} has {labels}/{split}, but no '
        f'{images}/{split}',
        file=sys.stderr,
      )
  return found or list(splits[:1])


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
  """
  # One of the two may be missing, which the check of files finds.
  of_images = _numbers(paths.listing(images), image_ending)
  of_labels = _numbers(paths.listing(labels), '.png')
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


def _numbers(names: Iterable[str], ending: str) -> dict[int, str]:
  """The names without the ending, by their numbers; others are left out."""
  stems = [name[: -len(ending)] for name in names if name.endswith(ending)]
  return {int(stem): stem for stem in stems if stem.isdigit()}
