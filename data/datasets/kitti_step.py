"""KITTI-STEP, from the official files.

    <dir>/images/<split>/<sequence>/%06d.png
    <dir>/panoptic_maps/<split>/<sequence>/%06d.png

with split `train` or `val`. The images are those of KITTI tracking's
`training/image_02`. In a label file R is the train id of Cityscapes (255:
void) and 256 G + B the number of an instance, the same in all frames of a
sequence; a person or car of number 0 is a crowd.
Weber et al. 2021, https://www.cvlibs.net/datasets/kitti/eval_step.php.
"""

import os
from typing import List

from data.datasets import cityscapes
from data.reading import paths, samples
from panoptic import classes as classes_lib
from panoptic import maps, png

SPLITS = ('train', 'val')
ENCODING = png.KITTI_STEP

_THINGS = ('person', 'car')
_VOID = 255


def class_table() -> classes_lib.ClassTable:
  """The 19 classes of Cityscapes, of which two are things.

  Category ids are the train ids plus one, since 0 is void.
  """
  return classes_lib.ClassTable(
    [
      category._replace(id=number, isthing=category.name in _THINGS)
      for number, category in enumerate(
        cityscapes.class_table().categories, start=1
      )
    ]
  )


def list_frames(folder: str, split: str) -> List[samples.Sample]:
  """The frames of a split, by sequence and number.

  Raises:
    FileNotFoundError: If a folder is missing, or a frame between others, its
      picture and its labels.
    PermissionError: If a folder may not be read.
  """
  images = os.path.join(folder, 'images', split)
  masks = os.path.join(folder, 'panoptic_maps', split)
  for needed in (images, masks):
    paths.require(
      needed,
      'the folder must hold images/ and panoptic_maps/ of KITTI-STEP, each '
      'with train/ and val/' + paths.nearby(folder, _is_root),
    )
  frames = []
  for sequence in _folders(images, masks):
    of_images, of_masks = (
      os.path.join(root, sequence) for root in (images, masks)
    )
    # One of the two may be missing, which the check of files finds.
    present = {*paths.listing(of_images), *paths.listing(of_masks)}
    names = samples.numbered(present, '.png', of_images)
    for number, name in enumerate(names):
      frames.append(
        samples.Sample(
          name=f'{sequence}/{name}',
          image=os.path.join(of_images, name),
          labels=os.path.join(of_masks, name),
          image_id=len(frames) + 1,
          sequence=sequence,
          frame=number,
        )
      )
  return frames


def find_segments(ids, areas) -> List[maps.Segment]:
  """The segments of a label file's ids, crowds and void among them.

  Raises:
    ValueError: If a class is none of the 19; a clause without the file.
  """
  categories = class_table().categories
  segments = []
  for segment_id, area in zip(ids.tolist(), areas.tolist(), strict=True):
    train_id = (segment_id - ENCODING.offset) % 256
    track = (segment_id - ENCODING.offset) // 256
    if train_id == _VOID:
      category, crowd = 0, 0
    elif train_id < len(categories):
      category = train_id + 1
      crowd = int(categories[train_id].isthing and track == 0)
    else:
      raise ValueError(
        f'the class {train_id} in R is not 0 to {len(categories) - 1} or '
        f'{_VOID}: is this a panoptic map of KITTI-STEP?'
      )
    segments.append(maps.Segment(segment_id, category, crowd, area))
  return segments


def _is_root(folder: str) -> bool:
  return all(
    os.path.isdir(os.path.join(folder, name))
    for name in ('images', 'panoptic_maps')
  )


def _folders(images: str, masks: str) -> List[str]:
  """The sequences, which both folders must have."""
  of_images, of_masks = (
    {n for n in paths.listing(f) if os.path.isdir(os.path.join(f, n))}
    for f in (images, masks)
  )
  for name in sorted(of_images ^ of_masks)[:1]:
    lacking, what = (
      (masks, 'annotations') if name in of_images else (images, 'images')
    )
    raise FileNotFoundError(
      f'{os.path.join(lacking, name)} does not exist: sequence {name} has no '
      f'{what}; unpack them, or remove the sequence'
    )
  if not of_images:
    raise FileNotFoundError(
      f'{images} has no folder of a sequence: unpack KITTI-STEP there'
    )
  return sorted(of_images)
