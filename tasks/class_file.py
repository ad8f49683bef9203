"""The classes of a run, in its folder.

Predicting needs them, and the machine may not have the data.
"""

import os

import tensorflow as tf

from panoptic import classes as classes_lib
from panoptic import files

_FILE = 'classes.json'


def save(classes: classes_lib.ClassTable, folder: str) -> None:
  """Writes a class table into a folder, which is made if need be."""
  tf.io.gfile.makedirs(folder)
  files.write_text(os.path.join(folder, _FILE), classes.to_json())


def load(folder: str) -> classes_lib.ClassTable | None:
  """Reads the class table of a folder; None if it has none."""
  path = os.path.join(folder, _FILE)
  if not tf.io.gfile.exists(path):
    return None
  return classes_lib.ClassTable.from_json(files.read_text(path))
