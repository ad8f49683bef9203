"""DAVIS 2017, from the official files.

    <dir>/ImageSets/2017/<split>.txt
    <dir>/JPEGImages/480p/<sequence>/%05d.jpg
    <dir>/Annotations/480p/<sequence>/%05d.png

with split `train` or `val`; the labels of the unsupervised task, which alone
have void, are in Annotations_unsupervised/ and preferred. A label file is a PNG
with a palette, whose colour numbers are the objects of the sequence; 0 is
background, 255 is void. There are no classes: all objects are of one.
Pont-Tuset et al. 2017, https://davischallenge.org.
"""

import itertools
import os
from typing import List

from data.reading import paths, samples
from panoptic import classes as classes_lib
from panoptic import maps, png

SPLITS = ('train', 'val')
ENCODING = png.DAVIS

_VOID = 255


def class_table() -> classes_lib.ClassTable:
  """A single class; background is void."""
  return classes_lib.ClassTable(
    [classes_lib.Category(1, 'object', True, classes_lib.palette_color(0))]
  )


def sequences(folder: str, split: str) -> List[str]:
  """The names of a split's sequences, sorted; errors as `list_frames`."""
  names = _list_of(folder, split)
  paths.require(
    names,
    'the folder must hold ImageSets/, JPEGImages/ and Annotations/ of DAVIS '
    '2017' + paths.nearby(folder, _is_root),
  )
  found = sorted(paths.read_text(names).split())
  for before, after in itertools.pairwise(found):
    if before == after:
      raise ValueError(f'{names} lists {before} twice: remove one line')
  return found


def masks_folder(folder: str) -> str:
  """The name of the folder of labels: the unsupervised task's, if it is there.

  These are what a model that is told nothing is scored by.
  """
  preferred = 'Annotations_unsupervised'
  there = os.path.isdir(os.path.join(folder, preferred, '480p'))
  return preferred if there else 'Annotations'


def list_frames(folder: str, split: str) -> List[samples.Sample]:
  """The frames of a split, by sequence and number.

  Raises:
    FileNotFoundError: If a folder is missing, or a frame between others, its
      picture and its labels.
    PermissionError: If a folder may not be read.
    ValueError: If a sequence holds what is no frame.
  """
  frames, labels_of = [], masks_folder(folder)
  for sequence in sequences(folder, split):
    images, masks = (
      os.path.join(folder, part, '480p', sequence)
      for part in ('JPEGImages', labels_of)
    )
    for needed in (images, masks):
      paths.require(
        needed,
        f'{_list_of(folder, split)} names the sequence; unpack the archive of '
        'DAVIS again, or remove the name',
      )
    # One of the two may be missing, which the check of files finds.
    present = set(paths.listing(masks))
    for name in paths.listing(images):
      stem, ending = os.path.splitext(name)
      if ending != '.jpg' or not stem.isdigit():
        raise ValueError(
          f'{os.path.join(images, name)} is no frame <number>.jpg: remove it'
        )
      present.add(f'{stem}.png')
    names = samples.numbered(present, '.png', images, 0)
    for number, name in enumerate(names):
      stem = os.path.splitext(name)[0]
      frames.append(
        samples.Sample(
          name=f'{sequence}/{name}',
          image=os.path.join(images, f'{stem}.jpg'),
          labels=os.path.join(masks, name),
          image_id=len(frames) + 1,
          sequence=sequence,
          frame=number,
        )
      )
  return frames


def find_segments(ids, areas) -> List[maps.Segment]:
  """The objects of a label file's ids; 255 is void."""
  return [
    maps.Segment(segment_id, int(segment_id != _VOID), 0, area)
    for segment_id, area in zip(ids.tolist(), areas.tolist(), strict=True)
  ]


def _list_of(folder: str, split: str) -> str:
  return os.path.join(folder, 'ImageSets', '2017', f'{split}.txt')


def _is_root(folder: str) -> bool:
  return os.path.isdir(os.path.join(folder, 'ImageSets', '2017'))
