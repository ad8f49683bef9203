"""The names that a split's images have in result files.

They are checked before anything is computed, so that writing the results cannot
fail at the end.
"""

import posixpath
import re
from collections.abc import Callable, Sequence

_LONGEST = 255  # Bytes of a name in a folder, on all common file systems.
# Names that may stay as they are, as most do: seen at once.
_PLAIN = re.compile(r'(\w[\w.-]*/)*\w[\w.-]*\.png', re.ASCII)


def result_names(
  names: Sequence[str], place_of: Callable[[int], str]
) -> list[str]:
  """Names of PNGs within a folder, one for each image.

  Folders are kept, but not what leads out of the folder of results: the start
  of an absolute path, a drive and '..'.

  Args:
    names: Of the label files, as an annotation, a record or a listing has them.
    place_of: Says where the image of an index is, for messages.

  Raises:
    ValueError: If no file can have the name, or if two images share one.
  """
  found: dict[str, int] = {}
  for index, name in enumerate(names):
    try:
      inside = _inside(name)
    except ValueError as error:
      raise ValueError(f'{place_of(index)}: {error}') from error
    if inside in found:
      raise ValueError(
        f'{place_of(found[inside])} and {place_of(index)} are one image by '
        f'name, {inside}: remove or rename one of them'
      )
    found[inside] = index
  return list(found)


def _inside(name: str) -> str:
  """The name of a PNG within a folder; a clause without the image if none."""
  if len(name) <= _LONGEST and _PLAIN.fullmatch(name):
    return name
  inside = re.sub('^[A-Za-z]:/', '/', name.replace('\\', '/'))
  # Above the root there is nothing, so '..' ends there.
  inside = posixpath.normpath(f'/{inside}').lstrip('/')
  if inside.lower().endswith('.png'):
    inside = f'{inside[:-4]}.png'
  elif inside:
    inside += '.png'
  if not inside or '\0' in inside:
    raise ValueError(f'{name!r} is no name of a file: give its labels another')
  try:
    parts = inside.encode().split(b'/')
  except UnicodeEncodeError:
    raise ValueError(
      f'{name!r} is no text of Unicode: give its labels another name'
    ) from None
  if max(map(len, parts)) > _LONGEST:
    raise ValueError(
      f'the name {name[:40]}... of its labels has a part of more than '
      f'{_LONGEST} bytes, which no file can have: shorten it'
    )
  return inside
