"""Times panoptic quality on one core, beside public implementations.

  python -m benchmarks.panoptic_quality_benchmark

Synthetic 640x480 images of 12 blobs, without void and crowd, which the metric
of tf-models-official treats differently. The methods take turns at going
through all images, and the medians are printed, in ms per image. Methods whose
package is not installed are left out. All must agree on PQ.
"""

import contextlib
import io
import pathlib
import tempfile

import numpy as np
from absl import app, flags

from benchmarks.measuring import timing
from metrics import panoptic_files, panoptic_quality
from panoptic import classes, maps, result_files

_IMAGES = flags.DEFINE_integer('images', 30, 'Number of images.', lower_bound=1)
_SPECKLE = flags.DEFINE_float(
  'speckle', 0.0, 'Fraction of predicted pixels that get a random segment.'
)

_HEIGHT, _WIDTH, _SEGMENTS = 480, 640, 12
_ROUNDS = 3
_SIDES = ('gt', 'pred')
_CATEGORIES = [
  classes.Category(i, f'category {i}', i <= 6) for i in range(1, 13)
]


def blobs(centers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """Returns int64 [480, 640]: the nearest center, bent by a few waves."""
  y, x = np.mgrid[:_HEIGHT, :_WIDTH].astype(np.float32)
  fy, fx, phase = rng.uniform(
    [[0.01], [0.01], [0.0]], [[0.08], [0.08], [6.0]], [3, 4]
  )
  for f, g, p in zip(fy, fx, phase, strict=True):
    x, y = x + 8 * np.sin(f * y + p), y + 8 * np.sin(g * x + p)
  distance = [(y - cy) ** 2 + (x - cx) ** 2 for cy, cx in centers]
  return np.argmin(distance, axis=0)


def make_pair(rng: np.random.Generator, speckle: float):
  """Returns ground truth and prediction, of similar shapes."""
  centers = rng.uniform(0, [_HEIGHT, _WIDTH], [_SEGMENTS, 2])
  gt_index = blobs(centers, rng)
  pred_index = blobs(centers + rng.normal(0, 12, centers.shape), rng)
  noisy = rng.random(pred_index.shape) < speckle
  pred_index[noisy] = rng.integers(0, _SEGMENTS, noisy.sum())
  category = rng.integers(1, len(_CATEGORIES) + 1, _SEGMENTS)
  pair = []
  for index in (gt_index, pred_index):
    ids = rng.choice(2**24 - 1, _SEGMENTS, replace=False) + 1
    segments = [
      maps.Segment(int(ids[k]), int(category[k])) for k in np.unique(index)
    ]
    pair.append(maps.PanopticMap(ids[index].astype(np.int32), segments))
  return pair


class OfficialModels:
  """tf-models-official, in memory, fed its own format."""

  def __init__(self):
    from official.vision.evaluation import panoptic_quality as official

    self._metric = official.PanopticQuality(len(_CATEGORIES) + 1, 0, 256, 2**24)

  def prepare(self, panoptic_map: maps.PanopticMap):
    masks = np.zeros([2, _HEIGHT, _WIDTH], np.uint16)
    for number, segment in enumerate(panoptic_map.segments, start=1):
      where = panoptic_map.segment_ids == segment.id
      masks[:, where] = [[segment.category_id], [number]]
    return {'category_mask': masks[0], 'instance_mask': masks[1]}

  def update(self, gt, pred) -> None:
    self._metric.compare_and_accumulate(gt, pred)

  def pq(self) -> float:
    return float(self._metric.result()['All_pq'])


class OfficialCoco:
  """The official COCO tool, which reads files."""

  def __init__(self, folder: pathlib.Path):
    from panopticapi import evaluation

    self._evaluation = evaluation
    self._folder = folder
    self._categories = {c.id: {'isthing': int(c.isthing)} for c in _CATEGORIES}
    self._sum = evaluation.PQStat()

  def update(self, gt: dict, pred: dict) -> None:
    with contextlib.redirect_stdout(io.StringIO()):  # It reports progress.
      self._sum += self._evaluation.pq_compute_single_core(
        0,
        [(gt, pred)],
        *(self._folder / side for side in _SIDES),
        self._categories,
      )

  def pq(self) -> float:
    return self._sum.pq_average(self._categories, None)[0]['pq']


def _write(folder: pathlib.Path, pairs) -> dict[str, dict]:
  """Writes both sides of all pairs; returns the content of their JSONs."""
  contents = {}
  for side, name in enumerate(_SIDES):
    path = folder / f'{name}.json'
    with result_files.CocoResults(folder / name, path, _CATEGORIES) as writer:
      for i, pair in enumerate(pairs):
        writer.add(i, f'{i}.png', pair[side])
    contents[name] = panoptic_files.read_json(path)
  return contents


def _optional(make):
  try:
    return make()
  except ImportError as error:
    print(f'left out: {error}')
    return None


def measure(folder: pathlib.Path, images: int, speckle: float) -> None:
  """Runs all methods and prints the table."""
  rng = np.random.default_rng(0)
  pairs = [make_pair(rng, speckle) for _ in range(images)]
  contents = _write(folder, pairs)
  files = [
    panoptic_files.read_annotations(content, f'{side}.json', folder / side)
    for side, content in contents.items()
  ]
  in_memory = panoptic_quality.PanopticQuality(_CATEGORIES)
  from_files = panoptic_quality.PanopticQuality(_CATEGORIES)
  models = _optional(OfficialModels)
  coco = _optional(lambda: OfficialCoco(folder))

  def decode(i):
    return [images_of_side[i].read() for images_of_side in files]

  methods = {
    'ours, in memory': lambda i: in_memory.update(*pairs[i]),
    'ours, from files': lambda i: from_files.update(*decode(i)),
    'ours, decoding the two PNGs alone': decode,
  }
  if models:
    ready = [[models.prepare(side) for side in pair] for pair in pairs]
    methods['tf-models-official, in memory'] = lambda i: models.update(
      *ready[i]
    )
  if coco:
    methods['panopticapi, from files'] = lambda i: coco.update(
      *(contents[side]['annotations'][i] for side in _SIDES)
    )
  medians = timing.median_times(methods, [(i,) for i in range(images)], _ROUNDS)
  for name, median in medians.items():
    print(f'{name:36}{median:8.2f} ms/image')
  ours = in_memory.details()['All']['pq']
  for other, name, where in (
    (models, 'tf-models-official', 'in memory'),
    (coco, 'panopticapi', 'from files'),
  ):
    if other:
      ratio = medians[f'{name}, {where}'] / medians[f'ours, {where}']
      print(f'{where}, {name} / ours: {ratio:.1f}')
      np.testing.assert_allclose(other.pq(), ours, rtol=1e-9)
  np.testing.assert_allclose(from_files.details()['All']['pq'], ours, rtol=0)
  print(f'PQ {100 * ours:.2f}, the same by all')


def main(argv) -> None:
  del argv
  with tempfile.TemporaryDirectory() as folder:
    measure(pathlib.Path(folder), _IMAGES.value, _SPECKLE.value)


if __name__ == '__main__':
  app.run(main)
