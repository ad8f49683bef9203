"""Suggests the nearest names for a misspelt one."""

import difflib
from collections.abc import Iterable

_MOST = 3
_PREFIX = 3  # A beginning of so many letters counts.


def nearest(name: str, known: Iterable[str]) -> list[str]:
  """The names that were probably meant, the nearest first; at most three.

  Names with dots are those of fields in sections. A field of that name in
  another section is near, too.

  Args:
    name: Which is not among the known ones.
    known: All names.
  """
  known = list(known)
  last = _last(name)

  def likeness(other):
    return difflib.SequenceMatcher(None, other, name).ratio()

  found = [other for other in known if _last(other) == last]
  found = found or difflib.get_close_matches(name, known, n=_MOST, cutoff=0.8)
  found = found or difflib.get_close_matches(name, known, n=1)
  if not found and len(name) >= _PREFIX:
    found = [other for other in known if other.startswith(name)]
  if not found:
    lasts = difflib.get_close_matches(last, map(_last, known), n=1)
    found = [other for other in known if _last(other) in lasts]
  return sorted(dict.fromkeys(found), key=likeness, reverse=True)[:_MOST]


def did_you_mean(name: str, known: Iterable[str]) -> str:
  """Returns "did you mean 'a' or 'b'?", or '' if no known name is near."""
  names = [repr(near) for near in nearest(name, known)]
  if not names:
    return ''
  *others, last = names
  listed = f'{", ".join(others)} or {last}' if others else last
  return f'did you mean {listed}?'


def _last(name: str) -> str:
  return name.rpartition('.')[2]
