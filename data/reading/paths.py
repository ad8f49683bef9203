"""Folders and files of data sets, with errors that say how to fix them.

All listing of data sets goes through here.
"""

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO

from panoptic import files

# So many remote files are asked for their size and time, 30 ms each.
_FEW = 16


def require(path: str, expected: str) -> None:
  """Checks that there is a file or folder at `path`.

  Args:
    path: Where to look.
    expected: A clause on what should be there, for the message.

  Raises:
    FileNotFoundError: If nothing is there.
    PermissionError: If this user may not look there.
  """
  if files.is_remote(path) and files.exists(path):
    return
  try:
    os.stat(path)
  except PermissionError:
    raise PermissionError(denied(_closed(path))) from None
  except OSError:
    raise FileNotFoundError(f'{path} does not exist: {expected}') from None


def has_folders(root: str, names: Iterable[str]) -> bool:
  """Whether a folder has all folders of these names, which may hold a '/'."""
  return all(files.is_folder(os.path.join(root, name)) for name in names)


def listing(folder: str) -> list[str]:
  """The names in a folder, sorted; the file system's order is undefined."""
  return sorted(entry.name for entry in _scan(folder))


def folders(folder: str) -> list[str]:
  """The names of the folders in a folder, sorted."""
  return sorted(entry.name for entry in _scan(folder) if entry.is_folder)


def missing(names: Sequence[str]) -> list[str]:
  """The files that do not exist, in order.

  Lists each folder once, which is faster by far than asking for each file.
  """
  return [
    path
    for path, entry in zip(names, _entries(names), strict=True)
    if entry is None
  ]


def stamps(names: Sequence[str]) -> list[tuple[int, int] | None]:
  """The size and time of change of files; each folder is listed once.

  Args:
    names: Their paths.

  Returns:
    Size in bytes and time of the last change in ns; None where there is no
    file. Of many remote files, (0, 0) where there is one.

  Raises:
    PermissionError: If a folder may not be entered.
  """
  ask = len(names) <= _FEW
  found: list[tuple[int, int] | None] = []
  for path, entry in zip(names, _entries(names), strict=True):
    if entry is None:
      found.append(None)
    else:
      skip = files.is_remote(path) and not ask
      found.append((0, 0) if skip else _stamp(path))
  return found


def _entries(names: Sequence[str]) -> Iterator[files.Entry | None]:
  """The entry of each file in its folder; None where there is no file."""

  @functools.cache
  def of_folder(folder):
    return {entry.name: entry for entry in _scan_if_there(folder)}

  for path in names:
    yield of_folder(os.path.dirname(path)).get(os.path.basename(path))


def _stamp(path: str) -> tuple[int, int] | None:
  try:
    return files.size_and_time(path)
  except FileNotFoundError:  # A link to nowhere.
    return None
  except PermissionError:
    raise PermissionError(denied(_closed(path))) from None
  except OSError:
    return 0, 0  # Reading the file will raise a better error.


def _scan(folder: str) -> list[files.Entry]:
  try:
    return files.scan(folder)
  except PermissionError:
    raise PermissionError(denied(_closed(os.path.join(folder, '.')))) from None
  except NotADirectoryError:
    raise NotADirectoryError(
      f'{folder} is a file, but must be a folder: put the files as '
      'docs/data.md draws them'
    ) from None


def _scan_if_there(folder: str) -> list[files.Entry]:
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


def open_file(path: str) -> IO[bytes]:
  """Opens a file to read its bytes; PermissionError says how to fix it."""
  try:
    return files.open_file(path)
  except PermissionError:
    raise PermissionError(denied(path)) from None


def read_text(path: str) -> str:
  """As `files.read_text`; PermissionError says how to fix it."""
  try:
    return files.read_text(path)
  except PermissionError:
    raise PermissionError(denied(path)) from None


def denied(path: str) -> str:
  """The message for a file or folder that may not be read."""
  return (
    f'{path} may not be read by this user: give permission, as by '
    f'chmod -R u+rX {path}'
  )


def nearby(folder: str, is_root: Callable[[str], bool]) -> str:
  """Says where a data set's root is if it is one level off, else ''."""
  local = not files.is_remote(folder)
  above = os.path.dirname(os.path.abspath(folder) if local else folder)
  below = []
  if files.is_folder(folder):
    below = [os.path.join(folder, name) for name in folders(folder)]
  for place in [above, *below]:
    if is_root(place):
      return f'; it looks as if {place} were meant'
  return ''
