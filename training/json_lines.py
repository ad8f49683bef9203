"""Files of JSON objects, one a line, on any file system TensorFlow knows."""

import json
import os
from typing import Any

import tensorflow as tf


def append(path: str, values: dict[str, Any]) -> None:
  """Adds a line to a file, which is created if it does not exist."""
  tf.io.gfile.makedirs(os.path.dirname(path))
  end = ''
  if tf.io.gfile.exists(path):
    with tf.io.gfile.GFile(path) as file:
      text = file.read()
    # A line that a kill has cut short must not spoil the next one.
    end = '' if not text or text.endswith('\n') else '\n'
  with tf.io.gfile.GFile(path, 'a') as file:
    file.write(f'{end}{json.dumps(values)}\n')


def read(path: str) -> list[dict[str, Any]]:
  """Returns the objects of a file that `append` wrote; [] if there is none.

  A line that a kill has cut short is left out: its work is done again.
  """
  if not tf.io.gfile.exists(path):
    return []
  lines = []
  with tf.io.gfile.GFile(path) as file:
    for line in file:
      try:
        lines.append(json.loads(line))
      except ValueError:
        continue
  return lines
