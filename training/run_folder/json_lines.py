"""Files of JSON objects, one a line, on any file system TensorFlow knows."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from typing import Any

from panoptic import files


def append(path: str, values: dict[str, Any]) -> None:
  """Adds a line to a file, which is created if it does not exist.

  The file is written anew and then renamed: a kill leaves the line whole or
  leaves it out.
  """
  folder = os.path.dirname(path)
  files.make_folders(folder)
  with _alone_in(folder):
    whole, _ = _lines(path)
    files.write_text(path, ''.join([*whole, f'{json.dumps(values)}\n']))


def read(path: str) -> list[dict[str, Any]]:
  """Returns the objects of a file that `append` wrote; [] if there is none.

  A line that is cut short is left out: its work is done again.
  """
  whole, _ = _lines(path)
  return [json.loads(line) for line in whole]


def repair(path: str) -> None:
  """Removes the lines of a file that are cut short, if it has any."""
  if _lines(path)[1]:
    with _alone_in(os.path.dirname(path)):
      files.write_text(path, ''.join(_lines(path)[0]))


def _lines(path: str) -> tuple[list[str], bool]:
  """The lines that hold an object, and whether the file has others."""
  if not files.exists(path):
    return [], False
  text = files.read_bytes(path).decode('utf-8', 'replace')
  lines = [f'{line}\n' for line in text.split('\n') if line]
  whole = [line for line in lines if _is_object(line)]
  return whole, ''.join(whole) != text


def _is_object(line: str) -> bool:
  try:
    return isinstance(json.loads(line), dict)
  except ValueError:
    return False


@contextlib.contextmanager
def _alone_in(folder: str) -> Iterator[None]:
  """Keeps other processes of this machine from appending in a folder."""
  if files.is_remote(folder):
    yield
    return
  descriptor = os.open(folder or '.', os.O_RDONLY)
  try:
    with contextlib.suppress(OSError):  # Some network disks have no locks.
      fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield
  finally:
    os.close(descriptor)
