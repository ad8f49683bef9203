"""A folder that is written whole or not at all."""

import contextlib
import os
import uuid
from collections.abc import Iterator

import tensorflow as tf

from panoptic import files


def check(folder: str, mode: str) -> None:
  """Refuses a folder that holds anything.

  Args:
    folder: That is to be written.
    mode: The program's mode, for the message.

  Raises:
    FileExistsError: If there is something in it.
    ValueError: If none is given.
  """
  if not folder:
    raise ValueError(f'--mode={mode} needs --output, a folder to write')
  if files.is_folder(folder) and files.scan(folder):
    raise FileExistsError(f'{folder} is not empty: choose another --output')


@contextlib.contextmanager
def written(folder: str) -> Iterator[str]:
  """Gives a temporary folder to fill, which then gets the name `folder`.

  An exception removes it.

  Args:
    folder: That does not exist, or is empty.
  """
  folder = folder.rstrip('/')
  parent = os.path.dirname(folder)
  if parent:
    files.make_folders(parent)
  temporary = f'{folder}.{uuid.uuid4().hex}.tmp'
  files.make_folders(temporary)
  try:
    yield temporary
    _move(temporary, folder)
  except BaseException:
    with contextlib.suppress(OSError):
      files.remove_folder(temporary)
    raise


def _move(source: str, target: str) -> None:
  if not files.is_remote(target):
    files.replace(source, target)  # Not over one that was filled meanwhile.
    return
  # A bucket has no folders. The deepest files come first, since those at the
  # top make it a model.
  for folder, _, names in tf.io.gfile.walk(source, topdown=False):
    place = folder.replace(source, target, 1)
    files.make_folders(place)
    for name in names:
      files.replace(os.path.join(folder, name), os.path.join(place, name))
  files.remove_folder(source)
