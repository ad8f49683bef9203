"""Folders and files of data sets, with errors that say how to fix them.

All listing of data sets goes through here.
"""

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO


def require(path: str, expected: str) -> None:
  """Checks that there is a file or folder at `path`.

  Args:
    path: Where to look.
    expected: A clause on what should be there, for the message.

  Raises:
    FileNotFoundError: If nothing is there.
    PermissionError: If this user may not look there.
  """
  try:
    os.stat(path)
  except PermissionError:
    raise PermissionError(denied(_closed(path))) from None
  except OSError:
    raise FileNotFoundError(f'{path} does not exist: {expected}') from None


def has_folders(root: str, names: Iterable[str]) -> bool:
  """Whether a folder has all folders of these names, which may hold a '/'."""
  return all(os.path.isdir(os.path.join(root, name)) for name in names)


def listing(folder: str) -> list[str]:
  """The names in a folder, sorted; the file system's order is undefined."""
  return sorted(entry.name for entry in _scan(folder))


def folders(folder: str) -> list[str]:
  """The names of the folders in a folder, sorted."""
  return sorted(entry.name for entry in _scan(folder) if entry.is_dir())


def missing(files: Sequence[str]) -> list[str]:
  """The files that do not exist, in order.

  Lists each folder once, which is faster by far than asking for each file.
  """
  return [
    path
    for path, entry in zip(files, _entries(files), strict=True)
    if entry is None
  ]


def stamps(files: Sequence[str]) -> list[tuple[int, int] | None]:
  """The size and time of change of files; each folder is listed once.

  Args:
    files: Their paths.

  Returns:
    Size in bytes and time of the last change in ns; None where there is no
    file.

  Raises:
    PermissionError: If a folder may not be entered.
  """
  return [entry and _stamp(entry) for entry in _entries(files)]


def _entries(files: Sequence[str]) -> Iterator[os.DirEntry | None]:
  """The entry of each file in its folder; None where there is no file."""

  @functools.cache
  def of_folder(folder):
    return {entry.name: entry for entry in _scan_if_there(folder)}

  for path in files:
    yield of_folder(os.path.dirname(path)).get(os.path.basename(path))


def _stamp(entry: os.DirEntry) -> tuple[int, int] | None:
  try:
    status = entry.stat()
  except FileNotFoundError:  # A link to nowhere.
    return None
  except PermissionError:
    raise PermissionError(denied(_closed(entry.path))) from None
  except OSError:
    return 0, 0  # Reading the file will raise a better error.
  return status.st_size, status.st_mtime_ns


def _scan(folder: str) -> list[os.DirEntry]:
  try:
    with os.scandir(folder or '.') as entries:
      return list(entries)
  except PermissionError:
    raise PermissionError(denied(_closed(os.path.join(folder, '.')))) from None
  except NotADirectoryError:
    raise NotADirectoryError(
      f'{folder} is a file, but must be a folder: put the files as '
      'docs/data.md draws them'
    ) from None


def _scan_if_there(folder: str) -> list[os.DirEntry]:
  try:
    return _scan(folder)
  except (FileNotFoundError, NotADirectoryError):
    return []


def _closed(path: str) -> str:
  """The folder that hides a path from this user."""
  folder = os.path.abspath(os.path.dirname(path))
  while not os.access(os.path.dirname(folder), os.X_OK, effective_ids=True):
    folder = os.path.dirname(folder)
  return folder


def open_file(path: str) -> BinaryIO:
  """Opens a file to read its bytes; PermissionError says how to fix it."""
  try:
    return open(path, 'rb')
  except PermissionError:
    raise PermissionError(denied(path)) from None


def read_text(path: str) -> str:
  """The text of a UTF-8 file; PermissionError says how to fix it."""
  with open_file(path) as file:
    return file.read().decode('utf-8')


def denied(path: str) -> str:
  """The message for a file or folder that may not be read."""
  return (
    f'{path} may not be read by this user: give permission, as by '
    f'chmod -R u+rX {path}'
  )


def nearby(folder: str, is_root: Callable[[str], bool]) -> str:
  """Says where a data set's root is if it is one level off, else ''."""
  above = os.path.dirname(os.path.abspath(folder))
  below = []
  if os.path.isdir(folder):
    below = [os.path.join(folder, name) for name in folders(folder)]
  for place in [above, *below]:
    if is_root(place):
      return f'; it looks as if {place} were meant'
  return ''
