"""Makes the data set that a configuration names."""

from configs import base
from data import dataset
from data.datasets import (
  cityscapes,
  coco,
  coco_categories,
  davis,
  kitti_step,
  moving_shapes,
  shapes,
)
from data.reading import file_dataset
from data.tfds import records
from panoptic import classes as classes_lib

_TABLES = {
  'coco_panoptic': coco_categories.class_table,
  'cityscapes': cityscapes.class_table,
  'davis': davis.class_table,
  'kitti_step': kitti_step.class_table,
}


def create(config: base.Data, split: str) -> dataset.Dataset:
  """Opens a data set.

  Args:
    config: Which data set, and where it is.
    split: One of its splits, as a rule `config.train_split` or
      `config.eval_split`.

  Raises:
    ValueError: If the name is unknown or the data are wrong.
    FileNotFoundError: If files are missing.
    PermissionError: If some may not be read.
  """
  if config.name == 'shapes':
    return shapes.Shapes(config.shapes, split)
  if config.name == 'moving_shapes':
    return moving_shapes.MovingShapes(config.moving_shapes, split)
  if config.name not in records.KINDS:
    raise ValueError(
      f'data.name is {config.name!r}, which is no data set: choose shapes, '
      'moving_shapes, '
      f'{", ".join(records.KINDS)}'
    )
  if config.source == 'tfds':
    content = records.open_split(config.name, config.dir, split)
  elif config.name == 'coco_panoptic':
    content = coco.read_folder(config.dir, split)
  else:
    raise ValueError(
      f'{config.name} is read prepared only: run python -m data.prepare '
      f'--dataset={config.name}, and set data.source=tfds'
    )
  return file_dataset.FileDataset(content, config.cache)


def class_table(config: base.Data) -> classes_lib.ClassTable:
  """The classes of a data set, which need not be on this machine.

  Args:
    config: Which data set. With a folder its own classes are read, as for a
      user's set in COCO's format; without one they are the official ones.
  """
  if config.name in _TABLES and not config.dir:
    return _TABLES[config.name]()
  return create(config, config.eval_split).classes
