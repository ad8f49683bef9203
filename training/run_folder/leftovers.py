"""Removes from a run's folder what a killed process has not finished."""

import os
import re

import tensorflow as tf

from panoptic import files

# Of `panoptic.files`, of TensorFlow's "checkpoint", and of copies into best/.
_TEMPORARY = re.compile(
  r'.+\.[0-9a-f]{32}\.tmp|checkpoint\.tmp[0-9a-f]+|ckpt-\d+\..+\.tmp'
)
_PARTS = re.compile(r'ckpt-\d+_temp')  # A folder.
_DATA = re.compile(r'(ckpt-\d+)\.data-\d+-of-\d+')


def remove(model_dir: str, evaluates: bool) -> None:
  """Removes temporary files and incomplete checkpoints.

  Only the process that writes into the folder may call it.

  Args:
    model_dir: Folder of the run, which may not exist.
    evaluates: Whether this run evaluates. Otherwise another process may be
      about it, and write into `best`, `eval` and `pictures`.
  """
  names = ['', 'train']
  if evaluates:
    names += ['best', 'eval', 'pictures']
  for name in names:
    _remove_in(os.path.join(model_dir, name))


def _remove_in(folder: str) -> None:
  if not files.is_folder(folder):
    return
  entries = files.scan(folder)
  names = {entry.name for entry in entries}
  for entry in entries:
    data = _DATA.fullmatch(entry.name)
    if entry.is_folder:
      if _PARTS.fullmatch(entry.name):
        tf.io.gfile.rmtree(entry.path)
    elif _TEMPORARY.fullmatch(entry.name) or (
      # The index is written last.
      data and f'{data[1]}.index' not in names
    ):
      files.remove(entry.path)
