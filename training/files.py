"""Small files in a run's folder, on any file system TensorFlow knows."""

import json
import os
from typing import Any, Dict, List

import tensorflow as tf


def write_text(path: str, text: str) -> None:
  """Writes a file in one go: readers see the old or the new one, never half."""
  temporary = f'{path}.tmp'
  with tf.io.gfile.GFile(temporary, 'w') as file:
    file.write(text)
  tf.io.gfile.rename(temporary, path, overwrite=True)


def append_json(path: str, values: Dict[str, Any]) -> None:
  """Adds a line to a file of JSON objects, which is made if need be."""
  tf.io.gfile.makedirs(os.path.dirname(path))
  end = ''
  if tf.io.gfile.exists(path):
    with tf.io.gfile.GFile(path) as file:
      text = file.read()
    # What a kill has cut short must not spoil the line after it.
    end = '' if not text or text.endswith('\n') else '\n'
  with tf.io.gfile.GFile(path, 'a') as file:
    file.write(f'{end}{json.dumps(values)}\n')


def read_json_lines(path: str) -> List[Dict[str, Any]]:
  """The objects of a file that `append_json` wrote; [] if there is none.

  A line that a kill has cut short is left out: what it told is done again.
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
