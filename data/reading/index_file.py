"""Index files: results of a slow search, kept for the next start.

An index lies beside the data it describes as `<name>.npz`, arrays without
pickle, or, where that folder cannot be written, in the user's cache folder
(`$XDG_CACHE_HOME`, or `~/.cache`). It holds a stamp, and counts only while the
stamp is that of the data.
"""

import hashlib
import io
import os
import zipfile
from collections.abc import Mapping

import numpy as np

from panoptic import files

Arrays = Mapping[str, np.ndarray]


def load(folder: str, name: str, stamp: Arrays) -> dict[str, np.ndarray] | None:
  """Reads an index; None where there is none that fits.

  Args:
    folder: The data's.
    name: Of the index.
    stamp: Arrays that the index must hold.
  """
  for place in (folder, cache_folder(folder)):
    path = os.path.join(place, f'{name}.npz')
    try:
      content = io.BytesIO(files.read_bytes(path))
      with np.load(content, allow_pickle=False) as stored:
        if all(
          key in stored and np.array_equal(stored[key], value)
          for key, value in stamp.items()
        ):
          return dict(stored)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
      continue  # There is none, or it is broken: it will be made anew.
  return None


def save(folder: str, name: str, arrays: Arrays) -> None:
  """Keeps an index, complete or not at all; see the module for its place."""
  cache = cache_folder(folder)
  for place in (folder, cache) if _writable(folder) else (cache,):
    path = os.path.join(place, f'{name}.npz')
    try:
      files.make_folders(place)
      content = io.BytesIO()
      np.savez(content, **dict(arrays))  # type: ignore[arg-type]
      files.write_bytes(path, content.getvalue())
      return
    except OSError:
      continue
  print(
    f'neither {folder} nor {cache} can be written, so the index {name} is made '
    'at every start: set XDG_CACHE_HOME to a folder that can'
  )


def cache_folder(folder: str) -> str:
  """Where the indices of a folder lie that cannot be written."""
  home = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
  absolute = folder if files.is_remote(folder) else os.path.abspath(folder)
  digest = hashlib.sha256(absolute.encode()).hexdigest()[:16]
  known_as = f'{os.path.basename(absolute)}-{digest}'
  return os.path.join(home, 'pix2seq_d', 'indices', known_as)


def _writable(folder: str) -> bool:
  if files.is_remote(folder):
    return True  # Only trying tells.
  # A folder that is marked as read-only stays as it is, even where the user is
  # root and could write it.
  return os.access(folder, os.W_OK) and bool(os.stat(folder).st_mode & 0o222)
