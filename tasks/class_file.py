"""The classes of a run, in its folder.

Predicting needs them, and the machine may not have the data.
"""

import os
from collections.abc import Sequence

import tensorflow as tf

from configs import base
from data import registry
from models import checkpoints
from panoptic import classes as classes_lib
from panoptic import files

_FILE = 'classes.json'


def save(classes: classes_lib.ClassTable, folder: str) -> None:
  """Writes a class table into a folder, which is made if need be."""
  tf.io.gfile.makedirs(folder)
  files.write_text(path(folder), classes.to_json())


def path(folder: str) -> str:
  """The file that `save` writes into a folder."""
  return os.path.join(folder, _FILE)


def of_checkpoint(path: str) -> classes_lib.ClassTable | None:
  """The class table of the run that a checkpoint is of; None if it has none.

  Args:
    path: The checkpoint's prefix.
  """
  folder = os.path.dirname(path)
  # The best checkpoint lies in a folder within the run's.
  for place in (folder, os.path.dirname(folder)):
    classes = load(place)
    if classes is not None:
      return classes
  return None


def of_first_weights(paths: Sequence[str]) -> classes_lib.ClassTable | None:
  """The class table of `training.init_checkpoint`; None if none has one.

  Args:
    paths: Prefixes or folders, of which later ones are read over earlier ones.

  Raises:
    FileNotFoundError: If there is no such checkpoint.
  """
  for path in reversed(paths):
    classes = of_checkpoint(checkpoints.find(path))
    if classes is not None:
      return classes
  return None


def of_weights(
  config: base.Experiment, checkpoint: str | None
) -> classes_lib.ClassTable:
  """The classes that weights were trained on, as their run's folder says.

  Without a run, as with an imported checkpoint, those of `config.data`.

  Args:
    config: The experiment.
    checkpoint: Path of a checkpoint; None for `training.init_checkpoint`.
  """
  if checkpoint:
    classes = of_checkpoint(checkpoint)
  else:
    classes = of_first_weights(config.training.init_checkpoint)
  return classes or registry.class_table(config.data)


def load(folder: str) -> classes_lib.ClassTable | None:
  """Reads the class table of a folder; None if it has none.

  Raises:
    ValueError: If the file is damaged.
  """
  file = path(folder)
  if not tf.io.gfile.exists(file):
    return None
  text = files.read_text(file)
  try:
    return classes_lib.ClassTable.from_json(text)
  except (ValueError, TypeError, KeyError) as error:
    raise ValueError(
      f'{file} is no table of classes ({error}): copy it again from the run'
    ) from error
