"""Looking at folders, with errors that say what to do."""

import functools
import os
from typing import Callable, List, Sequence

from PIL import Image


def require(path: str, what: str) -> None:
  """Raises FileNotFoundError if there is no file or folder at `path`.

  Args:
    path: Where to look.
    what: A sentence on what should be there, for the message.

  Raises:
    FileNotFoundError: If nothing is there.
    PermissionError: If this user may not look there.
  """
  try:
    status(path)
  except PermissionError:
    raise
  except OSError:
    raise FileNotFoundError(f'{path} does not exist: {what}') from None


def status(path: str) -> os.stat_result:
  """As `os.stat`, but a PermissionError names the folder that is closed."""
  try:
    return os.stat(path)
  except PermissionError:
    # Not this one, but a folder above it, may not be entered.
    raise PermissionError(denied(_closed(path))) from None


def _closed(path: str) -> str:
  """The folder that hides a path from this user."""
  folder = os.path.dirname(os.path.abspath(path))
  while not os.access(os.path.dirname(folder), os.X_OK, effective_ids=True):
    folder = os.path.dirname(folder)
  return folder


def listing(folder: str) -> List[str]:
  """The names in a folder, sorted; the file system's order is undefined."""
  try:
    return sorted(os.listdir(folder))
  except PermissionError:
    raise PermissionError(denied(folder)) from None
  except NotADirectoryError:
    raise NotADirectoryError(
      f'{folder} is a file, but must be a folder: put the files as '
      'docs/data.md draws them'
    ) from None


def read_text(path: str) -> str:
  """The text of a UTF-8 file; PermissionError says what to do."""
  try:
    with open(path, encoding='utf-8') as file:
      return file.read()
  except PermissionError:
    raise PermissionError(denied(path)) from None


def denied(path: str) -> str:
  """The message for what may not be read."""
  return (
    f'{path} may not be read by this user: give permission, as by '
    f'chmod -R u+rX {path}'
  )


def nearby(folder: str, is_root: Callable[[str], bool]) -> str:
  """Says where a data set's root is if it is one level off, else ''."""
  above = os.path.dirname(os.path.abspath(folder))
  below = []
  if os.path.isdir(folder):
    below = [os.path.join(folder, name) for name in listing(folder)]
  for place in [above, *below]:
    if is_root(place):
      return f'; it looks as if {place} were meant'
  return ''


def missing_files(folder: str, names: Sequence[str]) -> List[str]:
  """Those of the names, which may hold a '/', that are not in the folder.

  Lists each folder once, which is faster by far than asking for each file.
  """

  @functools.cache
  def present(subfolder):
    path = os.path.join(folder, subfolder) if subfolder else folder
    return frozenset(listing(path)) if os.path.isdir(path) else frozenset()

  return [
    name
    for name in names
    if os.path.basename(name) not in present(os.path.dirname(name))
  ]


def picture_size(path: str) -> tuple:
  """Rows and columns of a picture, from its header.

  Raises:
    ValueError: If it is no picture; a clause that does not name the file.
  """
  try:
    with Image.open(path) as picture:
      return picture.height, picture.width
  except PermissionError:
    raise
  except (OSError, SyntaxError) as error:
    raise ValueError('this is no picture, or it is cut short') from error
