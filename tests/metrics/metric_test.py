"""The metrics' common ground: registry, combination, memory, no TensorFlow."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from label_maps import LabelSpace

from metrics import (
  j_and_f,
  metric,
  overlaps,
  registry,
  stq,
  tube_metric,
  vpq,
)
from panoptic.classes import Category, ClassTable
from panoptic.maps import PanopticMap, Segment

SPACE = LabelSpace(num_classes=2, things=(1,), void=3, label_divisor=5)
CLASSES = ClassTable(SPACE.categories)
METRICS = {
  'semi-supervised': lambda: j_and_f.JAndF('semi-supervised'),
  **{name: lambda s=s: s.make(CLASSES) for name, s in registry.METRICS.items()},
}


def frames(count, seed=0):
  """Pairs of maps of the classes 0 and 1."""
  rng = np.random.default_rng(seed)
  labels = np.array([0, 5, 6, 7, 15])
  for _ in range(count):
    ids = np.sort(rng.integers(0, 5, [8, 12]))
    other = np.where(rng.random(ids.shape) < 0.2, rng.integers(0, 5, 12), ids)
    yield tuple(SPACE.panoptic_map(labels[which]) for which in (ids, other))


@pytest.mark.parametrize('name', METRICS)
def test_no_frames_are_kept(name):
  scorer, size = METRICS[name](), {}
  for t in range(41):
    ids = np.zeros([256, 256], np.uint8)
    ids[t : t + 90, 20:110], ids[200:, t : t + 90] = 1, 2
    segments = [Segment(1, 2), Segment(2, 2)]
    frame = (PanopticMap(x, segments) for x in (ids, np.roll(ids, 3, 1)))
    scorer.update(*frame, 'a')
    size[t] = len(pickle.dumps(scorer))
  # Thirty frames need less than the half of one map.
  assert size[40] - size[10] < 256 * 256 / 2
  assert scorer.result() and scorer.details()


@pytest.mark.parametrize('name', registry.METRICS)
def test_registered_metrics_name_their_main_score(name):
  spec = registry.METRICS[name]
  scorer = spec.make(CLASSES)
  for pair in frames(4):
    scorer.update(*pair, 'a')
  scores = scorer.result()
  assert 0 < scores[spec.main_score] < 100
  assert all(type(value) in (float, int) for value in scores.values())


@pytest.mark.parametrize('name', registry.METRICS)
def test_merged_streams_score_as_one(name):
  make = registry.METRICS[name].make
  whole, parts = make(CLASSES), [make(CLASSES), make(CLASSES)]
  for t, pair in enumerate(frames(8)):
    whole.update(*pair, str(t % 2))
    parts[t % 2].update(*pair, str(t % 2))
  parts[0].merge(parts[1])
  assert parts[0].result() == pytest.approx(whole.result(), abs=1e-9)


def test_several_metrics_count_a_frame_once(monkeypatch):
  def make():
    return {
      'STQ': stq.SegmentationTrackingQuality(SPACE.categories),
      'VPQ': vpq.VideoPanopticQuality(SPACE.categories),
    }

  alone, together = make(), tube_metric.Several(make())
  for pair in frames(5):
    for part in alone.values():
      part.update(*pair, 'a')
  counted = []
  count = overlaps.count_overlaps
  monkeypatch.setattr(
    overlaps, 'count_overlaps', lambda *a: counted.append(a) or count(*a)
  )
  for pair in frames(5):
    together.update(*pair, 'a')
  assert len(counted) == 5
  assert together.details() == {n: part.details() for n, part in alone.items()}
  assert together.result() == {
    **alone['STQ'].result(),
    **alone['VPQ'].result(),
  }


def test_after_an_error_no_part_has_the_frame():
  together = tube_metric.Several(
    {
      'VPQ': vpq.VideoPanopticQuality(SPACE.categories),
      'STQ': stq.SegmentationTrackingQuality(SPACE.categories),
    }
  )
  (truth, found), (other, _) = frames(2)
  together.update(truth, found, 'a')
  before = together.details()
  with pytest.raises(ValueError, match='sequence a, frame 1, prediction: .*;'):
    together.update(other, found._replace(segments=()), 'a')
  assert together.details() == before


def test_parts_must_take_the_same_frames():
  parts = {
    'STQ': stq.SegmentationTrackingQuality(SPACE.categories),
    'VPQ': vpq.VideoPanopticQuality(SPACE.categories, merge_stuff=True),
  }
  with pytest.raises(ValueError, match='different rules for stuff; build both'):
    tube_metric.Several(parts)


def test_all_different_settings_are_named():
  metric.check_same_settings('X', {'a': 1}, {'a': 1})
  with pytest.raises(ValueError, match='of X have different a and c; build'):
    metric.check_same_settings(
      'X', {'a': 1, 'b': 2, 'c': 3}, {'a': 2, 'b': 2, 'c': 4}
    )


def test_ids_of_two_classes_are_two_tubes():
  # One id that is first a car, then a bus: each class has a tube of its own.
  categories = [Category(1, 'car', True), Category(2, 'bus', True)]
  scorer = stq.SegmentationTrackingQuality(categories)
  ids = np.ones([1, 4], int)
  truth = PanopticMap(ids, [Segment(1, 1)])
  for category in (1, 2):
    scorer.update(truth, PanopticMap(ids, [Segment(1, category)]), 'a')
  assert scorer.details()['AQ'] == 0.5


def test_metrics_need_no_tensorflow():
  code = (
    'import sys, metrics.panoptic_files, metrics.registry, metrics.video_files;'
    'print("tensorflow" in sys.modules)'
  )
  root = stq.__file__.rsplit('metrics', 1)[0]
  done = subprocess.run(
    [sys.executable, '-c', code],
    capture_output=True,
    text=True,
    cwd=root,
    check=True,
  )
  assert done.stdout.strip() == 'False'
