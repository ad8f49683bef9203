"""Writes files on any file system that TensorFlow knows, gs:// among them."""

import contextlib
from typing import Iterator

import tensorflow as tf


@contextlib.contextmanager
def replace_when_written(path: str) -> Iterator[str]:
  """Lets a file be written under another name, then renames it.

  Readers see the old file or the new one, never a part. After an exception the
  old file stays.

  Args:
    path: Name of the file in the end.

  Yields:
    The name to write it under.
  """
  temporary = f'{path}.tmp'
  yield temporary
  tf.io.gfile.rename(temporary, path, overwrite=True)


def write_text(path: str, text: str) -> None:
  """Writes a text file by `replace_when_written`."""
  with replace_when_written(path) as temporary:
    with tf.io.gfile.GFile(temporary, 'w') as file:
      file.write(text)
