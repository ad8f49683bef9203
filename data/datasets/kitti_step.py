"""KITTI-STEP, from the official files.

    <dir>/images/<split>/<sequence>/%06d.png
    <dir>/panoptic_maps/<split>/<sequence>/%06d.png

with split `train` or `val`. The images are those of KITTI tracking's
`training/image_02`. In a label file R is the train id of Cityscapes (255:
void) and 256 G + B the number of an instance, the same in all frames of a
sequence; a person or car of number 0 is a crowd.
Weber et al. 2021, https://www.cvlibs.net/datasets/kitti/eval_step.php.
"""

import contextlib
import os

import numpy as np

from data.datasets import cityscapes
from data.reading import paths, samples, spec, trees
from panoptic import classes as classes_lib
from panoptic import maps, natural_order, png, result_files

_THINGS = ('person', 'car')
_VOID = 255
_TREE = trees.TwoFolders(
  'images',
  'panoptic_maps',
  'images/ and panoptic_maps/ of KITTI-STEP, each with train/ and val/',
)


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


def list_split(folder: str, split: str) -> samples.Listing:
  """The frames of a split, by sequence and number.

  Raises:
    FileNotFoundError: If a folder is missing, or a frame between others, its
      image and its labels.
    PermissionError: If a folder may not be read.
  """
  images, labels = _TREE.folders_of(folder, split)
  frames: list[samples.Sample] = []
  for sequence in _sequences(images, labels):
    frames += trees.frames(
      sequence,
      os.path.join(images, sequence),
      os.path.join(labels, sequence),
      '.png',
      first_id=len(frames) + 1,
    )
  return samples.Listing(frames)


def _sequences(images: str, labels: str) -> list[str]:
  """The names of the sequences, which both folders must have."""
  of_images, of_labels = set(paths.folders(images)), set(paths.folders(labels))
  for name in sorted(of_images ^ of_labels)[:1]:
    lacking, content = (
      (labels, 'annotations') if name in of_images else (images, 'images')
    )
    raise FileNotFoundError(
      f'{os.path.join(lacking, name)} does not exist: sequence {name} has no '
      f'{content}; unpack them, or remove the sequence'
    )
  if not of_images:
    raise FileNotFoundError(
      f'{images} has no folder of a sequence: unpack KITTI-STEP there'
    )
  return natural_order.in_order(of_images)


def find_segments(ids: np.ndarray, areas: np.ndarray) -> list[maps.Segment]:
  """The segments of a label file's ids, crowds and void among them.

  Raises:
    ValueError: If a class is none of the 19; a clause without the file.
  """
  categories = class_table().categories
  segments = []
  for segment_id, area in zip(ids.tolist(), areas.tolist(), strict=True):
    track, train_id = divmod(segment_id - png.KITTI_STEP.offset, 256)
    if train_id == _VOID:
      category, crowd = 0, 0
    elif train_id < len(categories):
      category = train_id + 1
      crowd = int(categories[train_id].isthing and track == 0)
    else:
      raise ValueError(
        f'the class {train_id} in R is not 0 to {len(categories) - 1} or '
        f'{_VOID}: if it is void, write {_VOID} there; else this is no '
        'panoptic map of KITTI-STEP'
      )
    segments.append(maps.Segment(segment_id, category, crowd, area))
  return segments


def result_writer(
  folder: str, classes: classes_lib.ClassTable
) -> result_files.PngResults:
  """A result in KITTI-STEP's format, of any class table."""
  # A run may list these classes in another order; train ids are official.
  with contextlib.suppress(ValueError):
    classes = classes_lib.matched(class_table(), classes, 'KITTI-STEP', 'a run')
  return result_files.PngResults(
    folder, png.KITTI_STEP, lambda prediction: encoded_ids(prediction, classes)
  )


def encoded_ids(
  prediction: maps.PanopticMap, classes: classes_lib.ClassTable
) -> np.ndarray:
  """Segment ids as KITTI-STEP's files have them, for `png.KITTI_STEP`.

  The train id is the contiguous class less one, and 255 for void. The instance
  of a thing is its segment id; stuff has instance 0.

  Args:
    prediction: The segments.
    classes: Their class table.

  Returns:
    int32 `[h, w]`.

  Raises:
    ValueError: If a class or an instance does not fit into such a file.
  """
  ids = prediction.segment_ids
  highest = max([int(ids.max()), *(s.id for s in prediction.segments)])
  train_id, instance = np.zeros([2, highest + 1], np.int64)
  train_id[:] = _VOID
  for segment in prediction.segments:
    number = int(classes.to_contiguous(segment.category_id))
    if number:
      train_id[segment.id] = number - 1
    if classes.isthing[number]:
      instance[segment.id] = segment.id
  return png.kitti_step_ids(train_id[ids], instance[ids], 'a prediction')


SPEC = spec.FileSpec(
  name='kitti_step',
  result_writer=result_writer,
  classes=class_table(),
  encoding=png.KITTI_STEP,
  find_segments=find_segments,
  tree=spec.Tree(_TREE.layout, _TREE.is_root, _TREE.splits, list_split),
  records=spec.Records(
    'kitti_step',
    how_to_get='Fetch the left colour images of the KITTI tracking benchmark '
    'and the panoptic maps of KITTI-STEP, and put them as docs/data.md draws '
    'it.',
    about={
      'description': 'Videos of traffic with a class and a track for every '
      'pixel: 12 + 9 sequences.',
      'homepage': 'https://www.cvlibs.net/datasets/kitti/eval_step.php',
      'citation': '@inproceedings{Weber2021STEP, title={{STEP}: Segmenting and '
      'Tracking Every Pixel}, author={Weber, Mark and Xie, Jun and Collins, '
      'Maxwell and Zhu, Yukun and Voigtlaender, Paul and Adam, Hartwig and '
      'Green, Bradley and Geiger, Andreas and Leibe, Bastian and Cremers, '
      'Daniel and Osep, Aljosa and Leal-Taixe, Laura and Chen, Liang-Chieh}, '
      'booktitle={NeurIPS Datasets and Benchmarks}, year={2021}}',
      'license': 'CC BY-NC-SA 3.0, as KITTI.',
    },
  ),
)
