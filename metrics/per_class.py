"""Scores by class, as a table and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from panoptic import classes

_SCORES = ('pq', 'sq', 'rq')
_MOST_ROWS = 18  # With the other two lines, a table of 20.


def rows(
  details: Mapping[str, Any], categories: Sequence[classes.Category]
) -> list[dict[str, Any]]:
  """The figures of each class.

  Args:
    details: Of a metric; of videos, VPQ's among those of others.
    categories: That it scores.

  Returns:
    Of each category 'id', 'name', 'isthing'; 'PQ', 'SQ' and 'RQ' in percent, of
    videos means over the lengths of windows; 'segments', those of the ground
    truth but crowds, of videos in single frames; and 'counted', whether the
    class counts in the mean. [] for a metric without classes.
  """
  lengths = details.get('VPQ', {}).get('per_length', {1: details})
  parts = [
    part['per_category'] for part in lengths.values() if 'per_category' in part
  ]
  if not parts:
    return []
  return [
    {
      'id': category.id,
      'name': category.name,
      'isthing': bool(category.isthing),
      **{
        name.upper(): 100
        * float(np.mean([p[category.id][name] for p in parts]))
        for name in _SCORES
      },
      'segments': parts[0][category.id]['tp'] + parts[0][category.id]['fn'],
      'counted': any(parts[0][category.id][key] for key in ('tp', 'fp', 'fn')),
    }
    for category in categories
  ]


def format_table(table: Sequence[Mapping[str, Any]], path: str) -> str:
  """The classes that count, those with the most segments first.

  Args:
    table: From `rows`.
    path: The file that has all of them.
  """
  counted = [row for row in table if row['counted']]
  counted.sort(key=lambda row: -row['segments'])
  shown = counted[:_MOST_ROWS]
  width = max([12, *(len(row['name']) + 2 for row in shown)])
  lines = [f'{"class":{width}}{"PQ":>7}{"SQ":>7}{"RQ":>7}{"segments":>10}']
  for row in shown:
    figures = ''.join(f'{row[name.upper()]:7.1f}' for name in _SCORES)
    lines.append(f'{row["name"]:{width}}{figures}{row["segments"]:10d}')
  more = len(counted) - len(shown)
  lines.append(
    f'{more} more classes are in {path}' if more else f'The table is in {path}'
  )
  return '\n'.join(lines)
