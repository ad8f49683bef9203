"""Files on local disks, and on remote ones that TensorFlow knows, as `gs://`.

A path with '://' is remote: TensorFlow reads and writes it, and is imported
only then. A file gets its name only when it is written completely.
"""

import codecs
import contextlib
import dataclasses
import os
import shutil
import uuid
from collections.abc import Iterator
from typing import IO, Any

# The marks that editors and shells put before text, the longer ones first.
_MARKS = (
  (codecs.BOM_UTF8, 'utf-8-sig'),
  (codecs.BOM_UTF32_LE, 'utf-32'),
  (codecs.BOM_UTF32_BE, 'utf-32'),
  (codecs.BOM_UTF16_LE, 'utf-16'),
  (codecs.BOM_UTF16_BE, 'utf-16'),
)


@dataclasses.dataclass(frozen=True)
class Entry:
  """A name in a folder.

  Attributes:
    name: Without the folder.
    path: With it.
    is_folder: Whether it is a folder, or a link to one.
  """

  name: str
  path: str
  is_folder: bool


def is_remote(path: str | os.PathLike) -> bool:
  """Whether a path is not of a local disk."""
  return '://' in os.fspath(path)


def expand_home(path: str) -> str:
  """Returns a path with the home folder for a leading `~` or `~user`.

  Raises:
    ValueError: If there is no such user.
  """
  if not path.startswith('~'):
    return path
  expanded = os.path.expanduser(path)
  if expanded.startswith('~'):
    user = path.partition('/')[0]
    raise ValueError(
      f'{path} begins with {user}, but there is no such user here: write the '
      f'whole path, or ./{path} for a folder of that name.'
    )
  return expanded


def _gfile() -> Any:
  import tensorflow as tf

  return tf.io.gfile


def exists(path: str | os.PathLike) -> bool:
  """Whether there is a file or folder."""
  if is_remote(path):
    return _gfile().exists(path)
  return os.path.exists(path)


def is_file(path: str | os.PathLike) -> bool:
  """Whether there is a file."""
  if is_remote(path):
    return _gfile().exists(path) and not _gfile().isdir(path)
  return os.path.isfile(path)


def is_folder(path: str | os.PathLike) -> bool:
  """Whether there is a folder; in a bucket, a name that others start with."""
  if is_remote(path):
    return _gfile().isdir(path)
  return os.path.isdir(path)


def make_folders(path: str | os.PathLike) -> None:
  """Makes a folder and those above it, unless they are there."""
  if is_remote(path):
    _gfile().makedirs(path)
  else:
    os.makedirs(path, exist_ok=True)


def scan(folder: str) -> list[Entry]:
  """What is in a folder; OSError if there is none, or if it is a file."""
  if not is_remote(folder):
    with os.scandir(folder or '.') as found:
      return [Entry(e.name, e.path, e.is_dir()) for e in found]
  if not is_folder(folder):
    raise FileNotFoundError(f'{folder} does not exist')
  entries = []
  for name in _gfile().listdir(folder):
    path = os.path.join(folder, name)
    # To ask for each name would take minutes, and most are images.
    is_image = name.lower().endswith(('.jpg', '.png', '.json'))
    name, path = name.rstrip('/'), path.rstrip('/')
    entries.append(Entry(name, path, not is_image and _gfile().isdir(path)))
  return entries


def size_and_time(path: str | os.PathLike) -> tuple[int, int]:
  """Size in bytes and time of the last change in ns; OSError if unknown."""
  if is_remote(path):
    with _os_errors(path):
      status = _gfile().stat(path)
    return status.length, status.mtime_nsec
  status = os.stat(path)
  return status.st_size, status.st_mtime_ns


def open_file(path: str | os.PathLike, mode: str = 'rb') -> IO:
  """Opens a file; text is UTF-8.

  Raises:
    FileNotFoundError: If there is none.
  """
  if not is_remote(path):
    encoding = None if 'b' in mode else 'utf-8'
    return open(path, mode, encoding=encoding)
  if 'r' in mode and not is_file(path):
    raise FileNotFoundError(f'{os.fspath(path)} does not exist')
  return _gfile().GFile(path, mode)


def replace(source: str, target: str) -> None:
  """Gives a file another name, in place of what had it."""
  if is_remote(target):
    _gfile().rename(source, target, overwrite=True)
  else:
    os.replace(source, target)


def remove(path: str) -> None:
  """Removes a file, if it is there and can be removed."""
  with contextlib.suppress(Exception):
    if is_remote(path):
      _gfile().remove(path)
    else:
      os.remove(path)


def remove_folder(path: str) -> None:
  """Removes a folder with all that is in it; OSError if it cannot be."""
  if not is_remote(path):
    shutil.rmtree(path)
    return
  with _os_errors(path):
    _gfile().rmtree(path)


@contextlib.contextmanager
def replace_when_written(path: str | os.PathLike) -> Iterator[str]:
  """Gives a temporary path to write, which then gets the name `path`.

  An exception removes the temporary file, and an earlier file stays as it was.
  Several processes may write the same file; the last one stays.
  """
  folder, name = os.path.split(path)
  # The name itself may be as long as the file system allows.
  temporary = os.path.join(folder, f'{name[:50]}.{uuid.uuid4().hex}.tmp')
  try:
    yield temporary
    replace(temporary, os.fspath(path))
  except BaseException:
    remove(temporary)
    raise


def read_bytes(path: str | os.PathLike) -> bytes:
  """The content of a file; OSError if it cannot be read."""
  with _os_errors(path), open_file(path) as file:
    return file.read()


def read_text(path: str | os.PathLike) -> str:
  """The text of a file: UTF-8, or as its byte-order mark says.

  Raises:
    OSError: If it cannot be read.
    ValueError: If it is no such text; names the file.
  """
  content = read_bytes(path)
  encodings = (name for mark, name in _MARKS if content.startswith(mark))
  try:
    return content.decode(next(encodings, 'utf-8'))
  except UnicodeDecodeError as error:
    raise ValueError(
      f'{os.fspath(path)} is not text ({error}): save it as UTF-8'
    ) from error


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
  """Writes a file, whole or not at all; OSError if it cannot be written."""
  with _os_errors(path), replace_when_written(path) as temporary:
    with open_file(temporary, 'wb') as file:
      file.write(content)


def write_text(path: str | os.PathLike, text: str) -> None:
  """As `write_bytes`, in UTF-8."""
  write_bytes(path, text.encode('utf-8'))


@contextlib.contextmanager
def _os_errors(path: str | os.PathLike) -> Iterator[None]:
  """Raises TensorFlow's errors of remote files as Python's."""
  if not is_remote(path):
    yield
    return
  import tensorflow as tf

  try:
    yield
  except tf.errors.NotFoundError as error:
    raise FileNotFoundError(f'{path} does not exist') from error
  except tf.errors.OpError as error:
    raise OSError(f'{path}: {error.message}') from error
