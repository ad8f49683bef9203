"""Runs of equal pixels, of which a map has only some thousand.

To count runs instead of pixels takes a tenth of the time.
"""

from typing import NamedTuple

import numpy as np


class Runs(NamedTuple):
  """Runs of equal pixels, in raster order; int64 `[r]` both.

  Attributes:
    start: The first pixel, counted along the rows from the top left one.
    length: The number of pixels, all in one row.
  """

  start: np.ndarray
  length: np.ndarray


def find_runs(*maps: np.ndarray) -> Runs:
  """Cuts the rows of maps `[h, w]` wherever at least one of them changes."""
  changed = np.zeros(maps[0].size, bool)
  for segment_ids in maps:
    flat = segment_ids.ravel()
    changed[1:] |= flat[1:] != flat[:-1]
  changed[:: maps[0].shape[1]] = True
  start = np.flatnonzero(changed)
  return Runs(start, np.diff(start, append=changed.size))


def areas(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """The ids of a map `[h, w]` above 0, ascending, and their pixels, int64."""
  runs = find_runs(ids)
  values, run_of = np.unique(ids.ravel()[runs.start], return_inverse=True)
  pixels = np.bincount(run_of, runs.length).astype(np.int64)
  return values[values > 0], pixels[values > 0]
