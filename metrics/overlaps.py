"""The pixels that the true and the predicted segments of a frame share.

Segments are blobs, so neighbouring pixels nearly always carry the same pair of
ids. Each row is cut where either map changes, and only the runs (some thousand,
not 307,200 pixels) are looked up in the lists of segments and summed by one
`bincount` over pairs, which yields areas, intersections and void overlaps
together. Noise costs speed, never exactness.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from panoptic import maps, runs, segment_table


class Overlaps(NamedTuple):
  """The segments of a frame, and the pixels that their pairs share.

  Attributes:
    pixels: float64 `[g + 1, p + 1]`, whole numbers: pixels that are in true
      segment g and in predicted segment p. Row and column 0 are void.
    truth: The g true segments.
    prediction: The p predicted segments.
  """

  pixels: np.ndarray
  truth: segment_table.SegmentTable
  prediction: segment_table.SegmentTable


def count_overlaps(
  truth: maps.PanopticMap,
  prediction: maps.PanopticMap,
  positions: Mapping[int, int],
  where: str,
) -> Overlaps:
  """Counts the pixels of all pairs of segments.

  Args:
    truth: The ground truth. A segment without pixels is allowed.
    prediction: A map of the same size (see `check_maps`).
    positions: From category id to position.
    where: Names the frame in errors.

  Raises:
    ValueError: If an id is in a map but not listed, listed twice or listed as
      0, a category is unknown, or a predicted segment has no pixels.
  """
  sides = f'{where}, ground truth', f'{where}, prediction'
  found = runs.find_runs(truth.segment_ids, prediction.segment_ids)
  tables, indices = [], []
  for side, name in zip((truth, prediction), sides, strict=True):
    table = segment_table.index_segments(side.segments, positions, name)
    ids = side.segment_ids.ravel()[found.start]
    tables.append(table)
    indices.append(segment_table.rows_of(ids, table.ids, name))
  rows, columns = indices
  height, width = (len(table.ids) for table in tables)
  pixels = np.bincount(rows * width + columns, found.length, height * width)
  pixels = pixels.reshape(height, width)
  segment_table.check_all_present(tables[1].ids, pixels.sum(0), sides[1])
  return Overlaps(pixels, *tables)


def check_maps(
  truth: maps.PanopticMap, prediction: maps.PanopticMap | None, where: str
) -> None:
  """Checks the pixels of two maps.

  Args:
    truth: The ground truth.
    prediction: The prediction; None where none is needed.
    where: Names the frame in errors.

  Raises:
    ValueError: If a map is not integers `[h, w]`, or sizes differ.
  """
  maps.check_map(truth.segment_ids, f'{where}, ground truth')
  if prediction is not None:
    maps.check_map(prediction.segment_ids, f'{where}, prediction')
    maps.check_same_size(
      truth.segment_ids.shape, prediction.segment_ids.shape, where
    )
