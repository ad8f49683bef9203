"""Makes the data set that a configuration names."""

from configs import base
from data import coco, coco_classes, labels, shapes


def create(
  config: base.Data, split: str, seed: int = 0
) -> shapes.Shapes | coco.CocoPanoptic:
  """Opens a data set.

  Args:
    config: Which data set, and where it is.
    split: One of its splits, as a rule `config.train_split` or
      `config.eval_split`.
    seed: Of the procedural scenes. It is not the training's seed: runs that
      are to be compared need the same scenes.

  Raises:
    ValueError: If the name is unknown or the data are wrong.
    FileNotFoundError: If files are missing.
  """
  if config.name == 'shapes':
    return shapes.Shapes(config.shapes, split, seed)
  if config.name == 'coco_panoptic':
    return coco.CocoPanoptic(config.dir, split, config.cache)
  raise ValueError(
    f'data.name is {config.name!r}, which is no data set: choose shapes or '
    'coco_panoptic'
  )


def class_table(config: base.Data) -> labels.ClassTable:
  """The classes of a data set, which need not be on this machine.

  Args:
    config: Which data set. With a folder its own classes are read, as for a
      user's set in COCO's format; without one they are COCO's.
  """
  if config.name == 'coco_panoptic' and not config.dir:
    return coco_classes.class_table()
  return create(config, config.eval_split).classes
