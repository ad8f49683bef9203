"""Tests of the scores of what is not given."""

import numpy as np
import pytest
import tiny

from benchmarks import given
from data import registry
from panoptic import classes, maps
from tasks import predictor as predictor_lib
from tasks.prediction import result


@pytest.fixture
def config():
  return tiny.experiment(data__shapes__eval_examples=3)


class _Perfect:
  """Answers nothing, or what is given and the truth of the rest."""

  def __init__(self, config):
    self.config = config
    self.classes = registry.class_table(config.data)
    self._images = registry.create(config.data, config.data.eval_split)
    self.given = []

  def __call__(self, images, seed, index, given=None):
    self.given.append(given)
    empty = maps.PanopticMap(np.zeros([32, 32], np.int32), [])
    truths = [self._images.ground_truth(i) for i in index]
    return [
      result.Prediction(image, truth if given else empty, self.classes)
      for image, truth in zip(images, truths, strict=True)
    ]


def test_the_rest_is_scored(config):
  predictor = _Perfect(config)
  lines = list(given.report(predictor, [0, 1], 2))
  assert len(lines) == 7 and '5 % of the pixels' in lines[4]
  assert all('| 100.0 ± 0.0 | 0.0 ± 0.0 |' in line for line in lines[2:])
  nothing, *_, segment = (maps_ for maps_ in predictor.given if maps_)
  assert not any(one.segments for one in nothing)
  assert [len(one.segments) for one in segment] == [1, 1]


def test_a_cut_map_lists_what_is_left():
  whole = maps.PanopticMap(
    np.array([[1, 1, 2], [3, 3, 0]]),
    [maps.Segment(i, 7, area=9) for i in (1, 2, 3)],
  )
  kept = np.array([[True, False, False], [True, True, True]])
  found = given.cut(whole, kept)
  assert found.segment_ids.tolist() == [[1, 0, 0], [3, 3, 0]]
  assert [(s.id, s.area) for s in found.segments] == [(1, 1), (3, 2)]


class _Follower:
  """Follows by the ids 5, 6, ..., and finds things with ids of its own."""

  def __init__(self, truths, table):
    self.classes, self._truths = table, truths

  def track(self, frames, seed, first_mask=None):
    for truth in self._truths:
      ids = np.where(truth.segment_ids > 0, truth.segment_ids + 4, 0)
      segments = [s._replace(id=s.id + 4) for s in truth.segments]
      found = maps.PanopticMap(ids if first_mask else ids + 2, segments)
      if not first_mask:
        segments = [s._replace(id=s.id + 2) for s in segments]
        found = maps.PanopticMap(np.where(ids > 0, ids + 2, 0), segments)
      yield result.Prediction(frames[0], found, self.classes)


def test_things_of_the_first_frame_are_followed():
  table = classes.ClassTable(
    [
      classes.Category(1, 'car', True, (1, 1, 1)),
      classes.Category(2, 'sky', False, (2, 2, 2)),
    ]
  )
  truths = []
  for t in range(4):
    ids = np.zeros([20, 30], np.int32)
    ids[:10], ids[12:18, 2 + t : 9 + t] = 1, 2
    segments = [maps.Segment(1, 2), maps.Segment(2, 1)]
    if t:  # Appears later: nobody is asked to follow it.
      ids[12:18, 20:25] = 3
      segments.append(maps.Segment(3, 1))
    truths.append(maps.PanopticMap(ids, segments))

  class Videos:
    image_ids, sequences, classes = range(4), {'a': range(4)}, table

    def image(self, i):
      return np.zeros([20, 30, 3], np.uint8)

    def ground_truth(self, i):
      return truths[i]

  found = given.of_videos(_Follower(truths, table), Videos(), [0], 5)
  assert found == {
    'semi-supervised': [pytest.approx(100)],
    'unsupervised': [pytest.approx(100)],
  }


@pytest.mark.slow
def test_a_model_of_images_completes(config):
  predictor = predictor_lib.Predictor(
    config, registry.class_table(config.data), tiny.build(seed=3)
  )
  lines = list(given.report(predictor, [0], 2))
  assert len(lines) == 7
