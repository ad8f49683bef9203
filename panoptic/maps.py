"""The panoptic map: one type for ground truth and predictions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from panoptic import runs

VOID = 0  # The segment id of pixels that belong to no segment.


class Segment(NamedTuple):
  """A segment of one image, or of one frame.

  Attributes:
    id: Its id in the map, 1 or more. In a video the same object has the same
      id in all frames.
    category_id: The data set's own id of its class; 0 marks pixels that have an
      id although they are void.
    iscrowd: 1 for a region of several objects that nobody told apart.
    area: Pixels; None if not stated.
  """

  id: int
  category_id: int
  iscrowd: int = 0
  area: int | None = None

  @classmethod
  def from_json(cls, entry: Mapping[str, Any]) -> 'Segment':
    """Reads an entry of COCO's `segments_info`; TypeError if it lacks an id."""
    return cls(**{key: entry[key] for key in cls._fields if key in entry})


class PanopticMap(NamedTuple):
  """The segments of one image, or of one frame.

  Attributes:
    segment_ids: Integers `[h, w]`, the id of the segment at each pixel; 0:
      void.
    segments: The segments; each id in the map is listed once.
    void: bool `[h, w]`, pixels that scores leave out, where these are not the
      pixels without a segment (the background of DAVIS is scored); None: the
      two are the same.
  """

  segment_ids: np.ndarray
  segments: Sequence[Segment]
  void: np.ndarray | None = None


def from_label_ids(
  ids: np.ndarray,
  find_segments: Callable[[np.ndarray, np.ndarray], Sequence[Segment]],
) -> PanopticMap:
  """Makes the map of a label file; segments of category 0 become void.

  Args:
    ids: Integers `[h, w]`, as `png.read_ids` returns them.
    find_segments: Returns the segments of ids, given with their areas: int64
      `[n]` both. Each data set has its own.
  """
  found = find_segments(*runs.areas(ids))
  of_void = [segment.id for segment in found if not segment.category_id]
  if not of_void:
    return PanopticMap(ids, found)
  void = np.isin(ids, of_void)
  ids = ids.copy()
  ids[void] = VOID
  return PanopticMap(ids, [s for s in found if s.category_id], void)


def from_masks(
  masks: Sequence[np.ndarray], category_ids: Sequence[int]
) -> PanopticMap:
  """Makes the map of one mask for each segment, as annotation tools have them.

  Later masks lie over earlier ones. A mask of which nothing is left to see is
  left out.

  Args:
    masks: At least one; each `[h, w]`, of any dtype, not 0 where the segment
      is.
    category_ids: The data set's own id of the class of each.

  Raises:
    ValueError: If there are no masks, if they have not one size, or if there
      are not as many categories; names the mask.
  """
  if not len(masks) or len(masks) != len(category_ids):
    raise ValueError(
      f'there are {len(masks)} masks and {len(category_ids)} categories: give '
      'one mask or more, and a category for each'
    )
  shape = np.shape(masks[0])
  segment_ids = np.zeros(shape[:2], np.int32)
  for number, mask in enumerate(masks, start=1):
    if np.ndim(mask) != 2 or np.shape(mask) != shape:
      raise ValueError(
        f'mask {number - 1} has the shape {list(np.shape(mask))}, but mask 0 '
        f'{list(shape)}: give all masks the size of the image, [height, width]'
      )
    segment_ids[np.asarray(mask) != 0] = number
  areas = np.bincount(segment_ids.ravel(), minlength=len(masks) + 1)
  segments = [
    Segment(number, int(category_id), 0, int(areas[number]))
    for number, category_id in enumerate(category_ids, start=1)
    if areas[number]
  ]
  return PanopticMap(segment_ids, segments)


def check_map(segment_ids: np.ndarray, where: str) -> None:
  """Raises ValueError unless the map is `[h, w]` integers with a pixel."""
  kind, shape = segment_ids.dtype.kind, segment_ids.shape
  if kind not in 'iu' or len(shape) != 2 or not segment_ids.size:
    raise ValueError(
      f'{where}: the segment map is {segment_ids.dtype} {list(shape)}; '
      'give integers of shape [height, width]'
    )


def check_same_size(
  truth: Sequence[int], prediction: Sequence[int], where: str
) -> None:
  """Raises ValueError unless the sizes (h, w) of two maps are the same."""
  if truth != prediction:
    raise ValueError(
      f'{where}: the ground truth is {list(truth)} and the prediction '
      f'{list(prediction)} pixels; resize the prediction to the ground truth'
    )
