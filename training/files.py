"""Small files in a run's folder, on any file system TensorFlow knows."""

import tensorflow as tf


def write_text(path: str, text: str) -> None:
  """Writes a file in one go: readers see the old or the new one, never half."""
  temporary = f'{path}.tmp'
  with tf.io.gfile.GFile(temporary, 'w') as file:
    file.write(text)
  tf.io.gfile.rename(temporary, path, overwrite=True)
