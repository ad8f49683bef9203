"""Times J&F, STQ and VPQ on one core, beside their plain formulation.

  python -m benchmarks.video_metrics_benchmark

The plain formulation does what the public evaluations do, in their order: J&F
compares every proposal with every object, mask by mask; STQ works on every
pixel. OpenCV dilates the masks, as in the official J&F. Frames are synthetic,
of the sizes of DAVIS (480x854) and KITTI-STEP (375x1242). Both take turns at
going through all frames; the medians are printed, in ms of the processor's time
per frame, so that other load on the machine hardly counts. Both must agree on
all figures.
"""

import collections
import time

import cv2
import numpy as np
from absl import app, flags

from benchmarks.measuring import timing
from metrics import region_boundary, registry, stq, vpq
from panoptic import classes, maps

_FRAMES = flags.DEFINE_integer('frames', 3, 'Frames a method.', lower_bound=1)
_ROUNDS = flags.DEFINE_integer('rounds', 2, 'Rounds.', lower_bound=1)
_SHRINK = flags.DEFINE_integer(
  'shrink', 1, 'Divides height and width, for a quick look.', lower_bound=1
)

_OBJECTS = 5
_CARS, _CAR = 12, 13
_CLASSES, _THINGS, _VOID, _DIVISOR = 19, (11, 13), 255, 1000
_CATEGORIES = [
  classes.Category(c + 1, str(c), c in _THINGS) for c in range(_CLASSES)
]


def scene(shape, centers, radii, t) -> np.ndarray:
  """Draws moving objects: uint8 [h, w], the later over the earlier ones."""
  height, width = shape
  y, x = np.mgrid[: height * 1.0, : width * 1.0] / height
  ids = np.zeros(shape, np.uint8)
  for k, ((cy, cx), r) in enumerate(zip(centers, radii, strict=True), start=1):
    dy, dx = y - cy, x - cx * width / height - 0.01 * t
    wave = 1 + 0.15 * np.sin(5 * np.arctan2(dy, dx) + k)
    ids[np.hypot(dy, dx) < r * wave] = k
  return ids


def davis_frames(shape, proposals: int, count: int, rng) -> list:
  """Pairs of ground truth and proposals; the first ones fit the objects."""
  centers = rng.uniform(0.1, 0.9, [proposals, 2])
  radii = rng.uniform(0.1, 0.25, proposals)
  moved = centers + rng.normal(0, 0.01, centers.shape)
  first = slice(_OBJECTS)
  return [
    (
      scene(shape, centers[first], radii[first], t),
      scene(shape, moved, radii, t),
    )
    for t in range(count)
  ]


def kitti_frames(shape, count: int, rng) -> list:
  """Pairs of label maps: bands of stuff, void below, and cars."""
  centers = rng.uniform(0.2, 0.9, [_CARS, 2])
  radii = rng.uniform(0.04, 0.15, _CARS)
  y, x = np.mgrid[: shape[0] * 1.0, : shape[1] * 1.0] / shape[0]
  frames = []
  for t in range(count):
    pair = []
    for shift in (0, 0.02):
      cars = scene(shape, centers + shift, radii, t).astype(np.int32)
      stuff = (9 * (y + 0.05 * np.sin(9 * x) + shift)).astype(np.int32)
      stuff = np.where(stuff > 8, 255, stuff) * 1000
      pair.append(np.where(cars > 0, _CAR * 1000 + cars, stuff))
    frames.append(tuple(pair))
  return frames


def panoptic_map(labels: np.ndarray) -> maps.PanopticMap:
  """The map of labels class * divisor + instance; ids are labels plus one."""
  ids = np.where(labels < _VOID * _DIVISOR, labels + 1, 0)
  segments = [
    maps.Segment(i, (i - 1) // _DIVISOR + 1)
    for i in np.unique(ids[ids > 0]).tolist()
  ]
  return maps.PanopticMap(ids, segments)


def plain_boundary(mask: np.ndarray) -> np.ndarray:
  """bool [h, w]: where the mask changes to the right or below."""
  right, below, both = mask.copy(), mask.copy(), mask.copy()
  right[:, :-1] = mask[:, 1:]
  below[:-1] = mask[1:]
  both[:-1, :-1] = mask[1:, 1:]
  both[:-1, -1], both[-1, :-1] = mask[1:, -1], mask[-1, 1:]
  return (mask ^ right) | (mask ^ below) | (mask ^ both)


def plain_j_and_f(gt: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
  """J and F of one pair of masks, bool [h, w], by their definitions."""
  union = (gt | mask).sum()
  j = (gt & mask).sum() / union if union else 1.0
  radius = int(np.ceil(0.008 * np.linalg.norm(gt.shape)))
  axis = np.arange(-radius, radius + 1)
  disk = (axis**2 + axis[:, None] ** 2 <= radius**2).astype(np.uint8)
  gt_boundary, boundary = plain_boundary(gt), plain_boundary(mask)
  near_gt = cv2.dilate(gt_boundary.astype(np.uint8), disk)
  near = cv2.dilate(boundary.astype(np.uint8), disk)
  gt_match, match = (gt_boundary * near).sum(), (boundary * near_gt).sum()
  n_gt, n = gt_boundary.sum(), boundary.sum()
  if n == 0 or n_gt == 0:
    return j, float(n == n_gt)
  precision, recall = match / n, gt_match / n_gt
  total = precision + recall
  return j, 2 * precision * recall / total if total else 0.0


class PlainStq:
  """STQ of one sequence, pixel by pixel."""

  def __init__(self):
    self._size = _CLASSES + 1
    self._confusion = np.zeros([self._size] * 2, np.int64)
    self._gt: collections.Counter = collections.Counter()
    self._pred: collections.Counter = collections.Counter()
    self._both: collections.Counter = collections.Counter()

  def update(self, gt: np.ndarray, pred: np.ndarray) -> None:
    size = self._size
    gt, pred = gt.astype(np.int64), pred.astype(np.int64)
    gt_class, pred_class = (
      np.where(c == _VOID, _CLASSES, c)
      for c in (gt // _DIVISOR, pred // _DIVISOR)
    )
    self._confusion += np.bincount(
      gt_class.ravel() * size + pred_class.ravel(), minlength=size**2
    ).reshape(size, size)
    gt_thing, pred_thing = np.zeros([2, *gt.shape], bool)
    for thing in _THINGS:
      gt_thing |= gt_class == thing
      pred_thing |= pred_class == thing
    crowd = gt_thing & (gt % _DIVISOR == 0)
    gt_thing &= ~crowd
    pred_thing &= ~crowd
    both = gt_thing & pred_thing
    for counter, values in (
      (self._gt, gt[gt_thing]),
      (self._pred, pred[pred_thing]),
      (self._both, gt[both] << 32 | pred[both]),
    ):
      ids, counts = np.unique(values, return_counts=True)
      counter.update(dict(zip(ids.tolist(), counts.tolist(), strict=True)))

  def result(self) -> float:
    confusion = self._confusion.copy()
    confusion[-1] = 0
    shared = confusion.diagonal()
    union = confusion.sum(0) + confusion.sum(1) - shared
    sq = (shared[union > 0] / union[union > 0]).mean()
    aq = 0.0
    for pair, tpa in self._both.items():
      g, p = self._gt[pair >> 32], self._pred[pair & 0xFFFFFFFF]
      aq += tpa**2 / (g + p - tpa) / g / len(self._gt)
    return float(np.sqrt(aq * sq))


def median_times(methods: dict, pairs: list) -> dict[str, float]:
  """ms of processor time of each method, by the frames."""
  rounds = _ROUNDS.value
  return timing.median_times(methods, pairs, rounds, time.process_time)


def report(name: str, times: dict) -> None:
  """Prints a row."""
  row = f'{name:48}{times["ours"]:9.2f}'
  if 'plain' in times:
    row += f'{times["plain"]:9.2f}{times["plain"] / times["ours"]:8.1f}'
  print(row, flush=True)


def measure_j_and_f(shape, proposals: int, unsupervised: bool, rng) -> None:
  """Times J and F of the frames of one task."""
  pairs = davis_frames(shape, proposals, _FRAMES.value, rng)

  def ours(gt, pred):
    return region_boundary.score_frame(
      gt, pred, _OBJECTS, proposals, unsupervised
    )[:2]

  def plain(gt, pred):
    gts = [gt == k for k in range(1, _OBJECTS + 1)]
    preds = [pred == k for k in range(1, proposals + 1)]
    table = np.full([2, proposals, _OBJECTS], np.nan)
    for p, mask in enumerate(preds):
      for g, target in enumerate(gts):
        if unsupervised or p == g:
          table[:, p, g] = plain_j_and_f(target, mask)
    return table

  name = 'unsupervised' if unsupervised else 'semi-supervised'
  times = median_times({'ours': ours, 'plain': plain}, pairs)
  report(
    f'J&F {name}, {_OBJECTS} objects, {proposals} proposals, '
    f'{shape[0]}x{shape[1]}',
    times,
  )
  for mine, other in zip(ours(*pairs[0]), plain(*pairs[0]), strict=True):
    there = ~np.isnan(other)
    np.testing.assert_allclose(mine[there], other[there], rtol=1e-12)


def measure_labels(shape, rng) -> None:
  """Times STQ and VPQ, alone and together."""
  pairs = [
    (*labels, *map(panoptic_map, labels))
    for labels in kitti_frames(shape, _FRAMES.value, rng)
  ]
  plain = PlainStq()
  ours = stq.SegmentationTrackingQuality(_CATEGORIES)
  windows = vpq.VideoPanopticQuality(_CATEGORIES)
  both = registry.METRICS['stq'].make(classes.ClassTable(_CATEGORIES))
  methods = {
    'plain': lambda gt, pred, *panoptic_maps: plain.update(gt, pred),
    'STQ': lambda gt, pred, *panoptic_maps: ours.update(*panoptic_maps),
    'VPQ, k = 1..4': lambda gt, pred, *panoptic_maps: windows.update(
      *panoptic_maps
    ),
    'STQ and VPQ': lambda gt, pred, *panoptic_maps: both.update(*panoptic_maps),
  }
  times = median_times(methods, pairs)
  size = f'{shape[0]}x{shape[1]}'
  report(f'STQ, {size}', {'ours': times['STQ'], 'plain': times['plain']})
  for name in ('VPQ, k = 1..4', 'STQ and VPQ'):
    report(f'{name}, {size}', {'ours': times[name]})
  np.testing.assert_allclose(ours.details()['STQ'], plain.result(), rtol=1e-12)


def main(argv) -> None:
  del argv
  cv2.setNumThreads(1)
  rng = np.random.default_rng(0)
  shrink = _SHRINK.value
  kitti = 375 // shrink, 1242 // shrink
  davis = 480 // shrink, 854 // shrink
  print(f'{"ms/frame":48}{"ours":>9}{"plain":>9}{"ratio":>8}')
  measure_labels(kitti, rng)
  measure_j_and_f(davis, _OBJECTS, False, rng)
  measure_j_and_f(davis, _OBJECTS, True, rng)
  measure_j_and_f(davis, 20, True, rng)
  print('both agree on all figures')


if __name__ == '__main__':
  app.run(main)
