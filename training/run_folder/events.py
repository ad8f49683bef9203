"""Removes TensorBoard's events of steps that a resumed run makes again."""

import os
from collections.abc import Callable

import tensorflow as tf

from panoptic import files


def keep(folder: str, is_kept: Callable[[int], bool]) -> None:
  """Removes the events of some steps from the files of a folder.

  So a curve has one point a step, however often its run was killed. Files
  without such events stay as they are.

  Args:
    folder: Of `events.out.tfevents.*` files that no process is writing.
    is_kept: Whether the events of a step stay.
  """
  pattern = os.path.join(folder, 'events.out.tfevents.*')
  for path in tf.io.gfile.glob(pattern):
    if not path.endswith('.tmp'):
      _keep_in(path, is_kept)


def _keep_in(path: str, is_kept: Callable[[int], bool]) -> None:
  kept, changed = [], False
  try:
    for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
      event = tf.compat.v1.Event.FromString(record)
      if not event.HasField('summary') or is_kept(event.step):
        kept.append(record)
      else:
        changed = True
  except tf.errors.DataLossError:
    changed = True  # The last event is cut short.
  if not changed:
    return
  with files.replace_when_written(path) as temporary:
    with tf.io.TFRecordWriter(temporary) as writer:
      for record in kept:
        writer.write(record)
