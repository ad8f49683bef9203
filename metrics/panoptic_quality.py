"""Panoptic quality (PQ), equal to the official COCO evaluation.

Kirillov et al., "Panoptic Segmentation", arXiv:1801.00868, section 4, with the
COCO rules for void and crowd:

* A match is a predicted and a non-crowd ground-truth segment of one category
  with IoU strictly above 0.5; predicted pixels on void leave the union.
* FN: non-crowd ground truth without a match.
* FP: prediction without a match, unless strictly more than half of its pixels
  lie on void or on the crowd region of its own category. Of several crowd
  regions of one category in one image only the last one listed counts.

Speed. Segments are blobs, so neighbouring pixels nearly always carry the same
pair of ids. Each row is cut where either map changes, and only the runs (some
thousand, not 307,200 pixels) are looked up in the list of segments and summed
by one `bincount` over (ground truth, prediction) pairs, which yields areas,
intersections and void overlaps together. Noise costs speed, never exactness.

Ground truth whose map and list contradict each other is refused, where the
official evaluation returns a figure; every figure returned here is equal.
"""

import operator
from typing import Any, Mapping, NamedTuple, Sequence

import numpy as np

from metrics import segment_matching

VOID = 0  # The segment id of pixels that belong to no segment.


class Category(NamedTuple):
  """A category, by the data set's own id. Further fields do no harm."""

  id: int
  name: str
  isthing: bool


class PanopticMap(NamedTuple):
  """The segments of one image.

  Attributes:
    segment_ids: [h, w] integers, the segment of each pixel; 0 is void.
    segments: for each segment a mapping with `id` and `category_id`; in ground
      truth also `iscrowd` (0 if absent) and, if wished, `area` in pixels.
  """

  segment_ids: np.ndarray
  segments: Sequence[Mapping[str, Any]]


class SegmentTable(NamedTuple):
  """A list of segments as arrays; row 0 is void.

  Attributes:
    ids: int64 [n + 1] segment ids.
    category: int64 [n + 1] positions in the list of categories; void has -1.
  """

  ids: np.ndarray
  category: np.ndarray


class Runs(NamedTuple):
  """Runs of equal pixels, in raster order; int64 [r] both.

  Attributes:
    start: first pixel, counted along the rows from the top left one.
    length: number of pixels, all in one row.
  """

  start: np.ndarray
  length: np.ndarray


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
  segments: Sequence[Mapping[str, Any]],
  positions: Mapping[int, int],
  where: str,
) -> SegmentTable:
  """Checks a list of segments and returns it as arrays.

  Args:
    segments: as in `PanopticMap`.
    positions: from category id to position.
    where: names the image and the side in the errors.

  Raises:
    ValueError: a segment lacks a whole `id` or `category_id`, ids repeat or
      are 0, or a category is unknown.
  """
  try:
    ids = [operator.index(s['id']) for s in segments]
    categories = [operator.index(s['category_id']) for s in segments]
    table = np.array([VOID, *ids], np.int64)
  except (KeyError, TypeError, OverflowError) as error:
    raise ValueError(
      f'{where}: the segments are not a list of mappings with integers '
      '"id" and "category_id"; give every segment both'
    ) from error
  if VOID in ids:
    raise ValueError(
      f'{where}: a segment has id 0, which means void; number segments from 1'
    )
  if len(set(ids)) != len(ids):
    repeated = sorted({i for i in ids if ids.count(i) > 1})
    raise ValueError(
      f'{where}: segment ids {_some(repeated)} are listed more than once; '
      'list each segment once'
    )
  unknown = [
    i for i, c in zip(ids, categories, strict=True) if c not in positions
  ]
  if unknown:
    wrong = sorted({c for c in categories if c not in positions})
    raise ValueError(
      f'{where}: segments {_some(unknown)} have unknown category_id '
      f'{_some(wrong)}; use the ids of the list of categories'
    )
  return SegmentTable(
    table, np.array([-1, *(positions[c] for c in categories)], np.int64)
  )


def check_map(segment_ids: np.ndarray, where: str) -> None:
  """Raises ValueError unless the map is [h, w] integers with a pixel."""
  kind, shape = segment_ids.dtype.kind, segment_ids.shape
  if kind not in 'iu' or len(shape) != 2 or not segment_ids.size:
    raise ValueError(
      f'{where}: the segment map is {segment_ids.dtype} {list(shape)}; '
      'give integers of shape [height, width]'
    )


def find_runs(*maps: np.ndarray) -> Runs:
  """Cuts the rows of [h, w] maps wherever at least one of them changes."""
  changed = np.zeros(maps[0].size, bool)
  for segment_ids in maps:
    flat = segment_ids.ravel()
    changed[1:] |= flat[1:] != flat[:-1]
  changed[:: maps[0].shape[1]] = True
  start = np.flatnonzero(changed)
  return Runs(start, np.diff(start, append=changed.size))


def rows_of(values: np.ndarray, ids: np.ndarray, where: str) -> np.ndarray:
  """Returns the rows of a `SegmentTable` that hold the ids `values`.

  A table over id mod m, with m large enough to tell the listed ids apart, is
  small and several times faster than a binary search.

  Raises:
    ValueError: a value is neither listed nor 0.
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


class PanopticQuality:
  """Panoptic quality of a stream of images.

  Counts are kept per category, so memory does not grow with the images.

  Attributes:
    num_images: number of images scored so far.
  """

  def __init__(self, categories: Sequence[Any]):
    """Starts with no images.

    Args:
      categories: objects with `id`, `name` and `isthing`.

    Raises:
      ValueError: no categories, or one id twice.
    """
    self._positions = category_positions(categories)
    self._isthing = np.array([bool(c.isthing) for c in categories])
    self._counts = segment_matching.MatchCounts(len(categories))
    self.num_images = 0

  def update(
    self,
    ground_truth: PanopticMap,
    prediction: PanopticMap,
    image: Any = None,
  ) -> None:
    """Adds one image; after an error nothing of it has been added.

    Args:
      ground_truth: the annotation. A segment without pixels is a FN.
      prediction: the segments to be scored, in a map of the same shape.
      image: names the image in errors; by default its place in the stream.

    Raises:
      ValueError: the shapes differ, a map is not integers, an id is in a map
        but not listed, listed twice or listed as 0, a category is unknown, a
        predicted segment has no pixels, or the stated area of a ground-truth
        segment is not its number of pixels.
    """
    name = f'image {self.num_images if image is None else image}'
    gt_where, pred_where = f'{name}, ground truth', f'{name}, prediction'
    gt_ids = np.asarray(ground_truth.segment_ids)
    pred_ids = np.asarray(prediction.segment_ids)
    check_map(gt_ids, gt_where)
    check_map(pred_ids, pred_where)
    if gt_ids.shape != pred_ids.shape:
      raise ValueError(
        f'{name}: the ground truth is {list(gt_ids.shape)} and the prediction '
        f'{list(pred_ids.shape)} pixels; resize the prediction to the ground '
        'truth'
      )
    gt = index_segments(ground_truth.segments, self._positions, gt_where)
    pred = index_segments(prediction.segments, self._positions, pred_where)

    runs = find_runs(gt_ids, pred_ids)
    gt_rows = rows_of(gt_ids.ravel()[runs.start], gt.ids, gt_where)
    pred_rows = rows_of(pred_ids.ravel()[runs.start], pred.ids, pred_where)
    shape = len(gt.ids), len(pred.ids)
    overlap = np.bincount(  # [ground truth, prediction], in pixels, exact.
      gt_rows * shape[1] + pred_rows, runs.length, shape[0] * shape[1]
    ).reshape(shape)
    check_all_present(pred.ids, overlap.sum(0), pred_where)
    _check_stated_areas(ground_truth.segments, overlap.sum(1), gt_where)
    crowd = np.array(
      [False, *(bool(s.get('iscrowd', 0)) for s in ground_truth.segments)]
    )
    self._counts.add(overlap, gt.category, pred.category, crowd)
    self.num_images += 1

  def merge(self, other: 'PanopticQuality') -> None:
    """Adds the images of another stream.

    Raises:
      ValueError: the streams have different categories.
    """
    if self._positions != other._positions or np.any(
      self._isthing != other._isthing
    ):
      raise ValueError(
        'two streams of panoptic quality have different categories; build '
        'both from the same list'
      )
    self._counts.merge(other._counts)
    self.num_images += other.num_images

  def result(self) -> dict[str, Any]:
    """Returns the figures so far, in plain Python numbers.

    Returns:
      `All`, `Things`, `Stuff`: {pq, sq, rq in 0..1, n}, means over the n
      categories with TP + FP + FN > 0 (0.0 if there is none); `per_category`:
      {category id: {pq, sq, rq, tp, fp, fn, iou_sum}}, every category.
    """
    return self._counts.result(list(self._positions), self._isthing)


def _check_stated_areas(
  segments: Sequence[Mapping[str, Any]], area: np.ndarray, where: str
) -> None:
  """Refuses areas that would make the official figure another than ours."""
  for segment, pixels in zip(segments, area[1:], strict=True):
    if pixels and segment.get('area', pixels) != pixels:
      raise ValueError(
        f'{where}: segment {segment["id"]} states an area of '
        f'{segment["area"]} but has {pixels:.0f} pixels in the map; pair the '
        'list with its own map, or leave the area out'
      )


def _some(values: Sequence[int]) -> str:
  shown = ', '.join(str(v) for v in values[:5])
  return shown if len(values) <= 5 else f'{shown}, ... ({len(values)} in all)'
