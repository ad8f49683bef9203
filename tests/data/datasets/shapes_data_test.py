"""Tests of the procedural scenes."""

import numpy as np
import pytest
import tensorflow as tf

from configs import base
from data import registry
from data.datasets import shapes

_HARD = base.Shapes(
  size=48,
  stuff_regions=3,
  stuff_classes=6,
  thing_classes=6,
  min_objects=3,
  max_objects=8,
)


@pytest.fixture(scope='module')
def hard():
  return shapes.Shapes(_HARD, 'train')


def _scenes(dataset, indices):
  scenes = dataset.scenes(tf.constant(indices, tf.int64))
  return {name: value.numpy() for name, value in scenes.items()}


@pytest.mark.slow
def test_a_scene_depends_on_seed_split_and_index_alone(hard):
  together = _scenes(hard, [5, 6, 7])
  again = shapes.Shapes(_HARD, 'train')
  for name in ('image', 'label_map'):
    alone = again.example(tf.constant(6, tf.int64))[name]
    np.testing.assert_array_equal(together[name][1], alone)
    assert (together[name][0] != together[name][1]).any()
  for other in (
    shapes.Shapes(_HARD, 'validation'),
    shapes.Shapes(_HARD.replace(seed=1), 'train'),
  ):
    assert (other.image(6) != together['image'][1]).mean() > 0.5


def test_labels_follow_the_protocol(hard):
  scenes = _scenes(hard, range(48))
  assert scenes['image'].dtype == np.uint8
  assert scenes['label_map'].dtype == np.int32
  things = {c.id for c in hard.classes.categories if c.isthing}
  seen_classes = set()
  for label_map in scenes['label_map']:
    classes, numbers = label_map[..., 0], label_map[..., 1]
    areas = np.bincount(numbers.ravel())[1:]
    assert (areas >= shapes.MIN_VISIBLE_PIXELS).all()
    assert (np.diff(areas) <= 0).all()  # Largest first, none absent.
    np.testing.assert_array_equal(classes == 0, numbers == 0)
    segments = np.unique(label_map.reshape(-1, 2), axis=0)
    segments = segments[segments[:, 1] > 0]
    assert len(segments) == len(areas)  # One class a segment.
    stuff = [c for c in segments[:, 0] if c not in things]
    assert len(set(stuff)) == len(stuff) <= 3
    assert any(c in things for c in segments[:, 0])
    seen_classes.update(segments[:, 0].tolist())
  assert seen_classes == set(range(1, 13))


def test_color_does_not_tell_the_class(hard):
  """Mean colours of the classes differ less than colours within a class."""
  scenes = _scenes(hard, range(200))
  colors = {}
  for image, label_map in zip(
    scenes['image'], scenes['label_map'], strict=True
  ):
    for number in range(1, label_map[..., 1].max() + 1):
      inside = label_map[..., 1] == number
      kind = label_map[..., 0][inside][0]
      colors.setdefault(kind, []).append(image[inside].mean(0))
  between = np.std([np.mean(values, 0) for values in colors.values()], 0)
  within = np.mean([np.std(values, 0) for values in colors.values()], 0)
  assert (between < 0.4 * within).all()


def test_ground_truth_counts_the_pixels(hard):
  truth = hard.ground_truth(3)
  label_map = _scenes(hard, [3])['label_map'][0]
  np.testing.assert_array_equal(truth.segment_ids, label_map[..., 1])
  for segment in truth.segments:
    inside = truth.segment_ids == segment.id
    assert segment.area == inside.sum()
    assert (label_map[..., 0][inside] == segment.category_id).all()


def test_easiest_and_plainest_scene():
  config = base.Shapes(
    size=32,
    stuff_regions=1,
    stuff_classes=1,
    thing_classes=1,
    min_objects=1,
    max_objects=1,
    noise=0.0,
  )
  label_map = _scenes(shapes.Shapes(config, 'train'), range(20))['label_map']
  assert set(map(tuple, label_map.reshape(-1, 2))) <= {
    (1, 2),
    (2, 1),
    (1, 1),
    (2, 2),
  }
  assert (label_map[..., 1].max((1, 2)) == 2).all()


@pytest.mark.parametrize(
  'changes, message',
  [
    ({'thing_classes': 7}, 'thing_classes is 7'),
    ({'stuff_regions': 4, 'stuff_classes': 3}, 'stuff_regions is 4'),
    ({'min_objects': 5, 'max_objects': 4}, 'min_objects is 5'),
    ({'noise': -0.1}, 'noise is -0.1'),
  ],
)
def test_impossible_difficulty_is_refused(changes, message):
  with pytest.raises(ValueError, match=message):
    shapes.Shapes(base.Shapes(**changes), 'train')


def test_unknown_names_are_refused():
  with pytest.raises(ValueError, match="no split 'test'"):
    registry.create(base.Data(), 'test')
  with pytest.raises(ValueError, match="'imagenet'"):
    registry.create(base.Data(name='imagenet'), 'train')
