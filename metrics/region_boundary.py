"""Region similarity J and boundary accuracy F of the masks of one frame.

Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object
Segmentation", CVPR 2016, as DAVIS 2017 evaluates them:

* J: IoU of the two masks.
* F: F-measure of the boundaries, where a pixel is matched if the other
  boundary is within ceil(0.008 * diagonal) pixels of it.
* If neither mask has a pixel, J is 1; if neither has a boundary, F is 1.

Speed. Masks of one frame are disjoint, so overlaps of all pairs are one count
over runs of equal pixels. For boundaries a pixel gets one bit per mask, and a
disk is drawn around all boundaries of a frame at once by a few dozen ORs of
shifted maps. What is left for each pair is a sum over boundary pixels.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from panoptic import maps, runs

VOID = 255  # The id of pixels without ground truth.
_BITS = 64  # Masks that share one map of bits.


class Boundaries(NamedTuple):
  """The boundaries of up to 64 disjoint masks of one frame.

  Attributes:
    pixels: int64 `[n]`, flat positions of all boundary pixels.
    member: float32 `[n, masks]`, 1 where a pixel is on the mask's boundary.
    near: Unsigned `[h * w]`; bit k is set near the boundary of mask k.
  """

  pixels: np.ndarray
  member: np.ndarray
  near: np.ndarray


def mask_ids(panoptic_map: maps.PanopticMap, where: str) -> np.ndarray:
  """The ids of a frame's masks, and 255 for void: uint8 `[h, w]`.

  Args:
    panoptic_map: The frame.
    where: Names the frame in the error.

  Raises:
    ValueError: If the ids are not in 0..255.
  """
  ids = panoptic_map.segment_ids
  if panoptic_map.void is not None:
    ids = np.where(panoptic_map.void, VOID, ids)
  if ids.dtype == np.uint8:
    return ids
  low, high = ids.min(), ids.max()
  if low < 0 or high > 255:
    raise ValueError(
      f'{where}: ids run from {low} to {high}, and the masks of DAVIS hold 0 '
      'to 255; renumber the objects'
    )
  return ids.astype(np.uint8)


def boundary_bits(
  ids: np.ndarray, table: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Finds boundaries: a mask changes to the right, below or right below.

  Args:
    ids: uint8 `[h, w]`.
    table: Unsigned `[256]`; bit k is set for the ids of mask k.

  Returns:
    int64 `[n]`, flat positions of all boundary pixels, and unsigned `[n]`; bit
    k is set on the boundary of mask k.
  """
  height, width = ids.shape
  changed = np.zeros(ids.shape, bool)
  changed[:, :-1] = ids[:, :-1] != ids[:, 1:]
  changed[:-1] |= ids[:-1] != ids[1:]
  changed[:-1, :-1] |= ids[:-1, :-1] != ids[1:, 1:]
  pixels = np.flatnonzero(changed)
  y, x = np.divmod(pixels, width)
  right, below = x + 1 < width, width * (y + 1 < height)
  flat = ids.ravel()
  here, *others = (
    table[flat[pixels + step]] for step in (0, right, below, right + below)
  )
  some = every = here
  for bits in others:
    some, every = some | bits, every & bits
  bits = some & ~every
  return pixels[bits > 0], bits[bits > 0]


def dilate_bits(bits: np.ndarray, radius: int) -> np.ndarray:
  """Sets each bit within `radius` pixels of where it is set, `[h, w]`."""
  height = bits.shape[0]
  result = np.zeros_like(bits)
  row, drawn = bits.copy(), 0  # Each bit is a line of that half width.
  for dy in range(radius, -1, -1):
    half = math.isqrt(radius**2 - dy**2)
    for shift in range(drawn + 1, half + 1):
      row[:, shift:] |= bits[:, :-shift]
      row[:, :-shift] |= bits[:, shift:]
    drawn = half
    rest = max(height - dy, 0)
    result[dy:] |= row[:rest]
    result[:rest] |= row[dy:]
  return result


def find_boundaries(ids: np.ndarray, count: int) -> Iterator[Boundaries]:
  """Yields the boundaries of masks 1 .. count, at most 64 at a time.

  Args:
    ids: uint8 `[h, w]`; other ids than 1 .. count belong to no mask.
    count: The number of masks.
  """
  # Rounded up, so even the last bit counts: computed as the official one is.
  radius = int(np.ceil(0.008 * np.linalg.norm(ids.shape)))
  for first in range(1, count + 1, _BITS):
    masks = min(count + 1 - first, _BITS)
    dtype = np.min_scalar_type(2**masks - 1)
    table = np.zeros(256, dtype)
    bits = np.uint64(1) << np.arange(masks, dtype=np.uint64)
    table[first : first + masks] = bits
    pixels, bits = boundary_bits(ids, table)
    near = np.zeros(ids.shape, dtype)
    if pixels.size:
      near.ravel()[pixels] = bits
      box = _box(pixels, ids.shape, radius)
      near[box] = dilate_bits(near[box], radius)
    yield Boundaries(pixels, _unpack(bits, masks), near.ravel())


def boundary_accuracy(
  ground_truth: np.ndarray, prediction: np.ndarray, objects: int, proposals: int
) -> np.ndarray:
  """F of every pair of masks of one frame.

  Args:
    ground_truth: uint8 `[h, w]`, ids 1 .. objects; others are background.
    prediction: The same, 1 .. proposals.
    objects: The number of ground-truth masks.
    proposals: The number of predicted masks.

  Returns:
    float64 `[proposals, objects]`.
  """
  gt_size, pred_size = np.zeros(objects), np.zeros(proposals)
  gt_match, pred_match = np.zeros([2, proposals, objects])
  predicted = list(find_boundaries(prediction, proposals))
  for i, gt in enumerate(find_boundaries(ground_truth, objects)):
    g = slice(i * _BITS, i * _BITS + gt.member.shape[1])
    gt_size[g] = gt.member.sum(0)
    for k, pred in enumerate(predicted):
      p = slice(k * _BITS, k * _BITS + pred.member.shape[1])
      pred_size[p] = pred.member.sum(0)
      # Sums of ones, exact in float32 up to 2**24 boundary pixels.
      pred_match[p, g] = pred.member.T @ _unpack(
        gt.near[pred.pixels], gt.member.shape[1]
      )
      gt_match[p, g] = (
        _unpack(pred.near[gt.pixels], pred.member.shape[1]).T @ gt.member
      )
  some_gt, some_pred = gt_size > 0, (pred_size > 0)[:, None]
  precision = np.where(
    some_pred, pred_match / np.maximum(pred_size, 1)[:, None], 1
  )
  recall = np.where(some_gt, gt_match / np.maximum(gt_size, 1), 1)
  # Of one boundary alone, either is 0; of none, both are 1.
  total = precision + recall
  return 2 * precision * recall / np.where(total > 0, total, 1)


def region_similarity(overlap: np.ndarray) -> np.ndarray:
  """J of every pair of masks.

  Args:
    overlap: `[gt ids, predicted ids]` pixels; row and column 0 are background.

  Returns:
    float64 `[proposals, objects]`.
  """
  shared = overlap[1:, 1:].T
  union = overlap[1:].sum(1) + overlap[:, 1:].sum(0)[:, None] - shared
  return np.where(union > 0, shared / np.maximum(union, 1), 1)


def score_frame(
  ground_truth: np.ndarray,
  prediction: np.ndarray,
  objects: int,
  proposals: int,
  remove_void: bool,
) -> tuple[np.ndarray, np.ndarray, int]:
  """J and F of every pair of masks of one frame.

  Args:
    ground_truth: uint8 `[h, w]`; ids 1 .. objects are scored, 255 is void and
      all else is background.
    prediction: uint8 `[h, w]`; ids 1 .. proposals are scored.
    objects: The number of ground-truth masks.
    proposals: The number of predicted masks.
    remove_void: Take void out of both masks; or else it is background.

  Returns:
    J and F, float64 `[proposals, objects]`, and the highest predicted id.
  """
  found = runs.find_runs(ground_truth, prediction)
  pairs = ground_truth.ravel()[found.start].astype(np.int64) << 8
  pairs |= prediction.ravel()[found.start]
  overlap = np.bincount(pairs, found.length, 256 * 256).reshape(256, 256)
  highest = int(np.flatnonzero(overlap.any(0))[-1])
  if remove_void and overlap[VOID].any():
    prediction = np.where(ground_truth == VOID, 0, prediction)
    overlap[VOID] = 0
  overlap[0] += overlap[objects + 1 :].sum(0)
  overlap[:, 0] += overlap[:, proposals + 1 :].sum(1)
  return (
    region_similarity(overlap[: objects + 1, : proposals + 1]),
    boundary_accuracy(ground_truth, prediction, objects, proposals),
    highest,
  )


def _box(
  pixels: np.ndarray, shape: tuple[int, int], margin: int
) -> tuple[slice, slice]:
  """The rows and columns that are within `margin` of any of the pixels."""
  y, x = (
    slice(max(int(s.min()) - margin, 0), int(s.max()) + margin + 1)
    for s in np.divmod(pixels, shape[1])
  )
  return y, x


def _unpack(bits: np.ndarray, count: int) -> np.ndarray:
  """float32 `[n, count]` of zeros and ones from unsigned `[n]`."""
  shifted = bits[:, None] >> np.arange(count, dtype=bits.dtype)
  return (shifted & bits.dtype.type(1)).astype(np.float32)
