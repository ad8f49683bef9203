"""Files on a local disk that are whole as soon as they have their name."""

import contextlib
import os
import uuid
from collections.abc import Iterator


@contextlib.contextmanager
def replace_when_written(path: str | os.PathLike) -> Iterator[str]:
  """Gives a temporary path to write, which then gets the name `path`.

  An exception removes the temporary file, and an earlier file stays as it was.
  Several processes may write the same file; the last one stays.
  """
  temporary = f'{os.fspath(path)}.{uuid.uuid4().hex}.tmp'
  try:
    yield temporary
    os.replace(temporary, path)
  except BaseException:
    with contextlib.suppress(OSError):
      os.remove(temporary)
    raise
