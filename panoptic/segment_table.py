"""A map's list of segments as arrays, to look the ids of pixels up."""

import operator
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from panoptic import maps


class SegmentTable(NamedTuple):
  """A list of segments as arrays; row 0 is void.

  Attributes:
    ids: int64 `[n + 1]`, segment ids.
    category: int64 `[n + 1]`, positions in the list of categories; void has -1.
    crowd: bool `[n + 1]`, whether a segment is a crowd.
  """

  ids: np.ndarray
  category: np.ndarray
  crowd: np.ndarray


def category_positions(categories: Sequence[Any]) -> dict[int, int]:
  """Maps category ids to positions; ValueError if none or if ids repeat."""
  positions = {c.id: position for position, c in enumerate(categories)}
  if not positions or len(positions) != len(categories):
    raise ValueError(
      f'{len(categories)} categories have {len(positions)} different ids; '
      'give at least one category, and each id once'
    )
  return positions


def index_segments(
  segments: Sequence[maps.Segment], positions: Mapping[int, int], where: str
) -> SegmentTable:
  """Checks a list of segments and returns it as arrays.

  Args:
    segments: As in `maps.PanopticMap`.
    positions: From category id to position.
    where: Names the image and the side in the errors.

  Raises:
    ValueError: If a segment lacks a whole `id` or `category_id`, if ids repeat
      or are 0, or if a category is unknown.
  """
  try:
    ids = [operator.index(s.id) for s in segments]
    categories = [operator.index(s.category_id) for s in segments]
    table = np.array([maps.VOID, *ids], np.int64)
  except (AttributeError, TypeError, OverflowError) as error:
    raise ValueError(
      f'{where}: the segments are not a list of segments with integers "id" '
      'and "category_id"; give every segment both'
    ) from error
  if maps.VOID in ids:
    raise ValueError(
      f'{where}: a segment has id 0, which means void; number segments from 1'
    )
  if len(set(ids)) != len(ids):
    repeated = sorted({i for i in ids if ids.count(i) > 1})
    raise ValueError(
      f'{where}: segment ids {_some(repeated)} are listed more than once; '
      'list each segment once'
    )
  wrong = sorted(set(categories) - set(positions))
  if wrong:
    unknown = [s.id for s in segments if s.category_id in wrong]
    raise ValueError(
      f'{where}: segments {_some(unknown)} have unknown category_id '
      f'{_some(wrong)}; use the ids of the list of categories'
    )
  return SegmentTable(
    table,
    np.array([-1, *(positions[c] for c in categories)], np.int64),
    np.array([False, *(bool(s.iscrowd) for s in segments)]),
  )


def rows_of(values: np.ndarray, ids: np.ndarray, where: str) -> np.ndarray:
  """Returns the rows of a `SegmentTable` that hold the ids `values`.

  A table over id mod m, with m large enough to tell the listed ids apart, is
  small and several times faster than a binary search.

  Raises:
    ValueError: If a value is neither listed nor 0.
  """
  values = values.astype(np.int64)
  modulus = max(1021, len(ids) ** 2)
  while len(np.unique(ids % modulus)) < len(ids):
    modulus += 2
  table = np.zeros(modulus, np.int64)
  table[ids % modulus] = np.arange(len(ids))
  rows = table[values % modulus]
  unlisted = ids[rows] != values
  if unlisted.any():
    raise ValueError(
      f'{where}: segment ids {_some(np.unique(values[unlisted]).tolist())} '
      'are in the map but not in the list of segments; list them, or set '
      'their pixels to 0 (void)'
    )
  return rows


def check_all_present(ids: np.ndarray, area: np.ndarray, where: str) -> None:
  """Raises ValueError if a segment of the table has no pixels."""
  absent = ids[1:][area[1:] == 0]
  if absent.size:
    raise ValueError(
      f'{where}: segments {_some(absent.tolist())} are listed but have no '
      'pixels in the map; leave them out of the list'
    )


def _some(values: Sequence[int]) -> str:
  shown = ', '.join(str(v) for v in values[:5])
  return shown if len(values) <= 5 else f'{shown}, ... ({len(values)} in all)'
