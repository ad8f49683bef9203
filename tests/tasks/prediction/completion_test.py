"""Tests of given maps: to the model's labels, and joined to its answers."""

import numpy as np
import pytest
import tensorflow as tf

from data import dataset, geometry, transforms
from panoptic import decode, maps
from panoptic.classes import Category, ClassTable
from panoptic.maps import PanopticMap, Segment
from tasks.prediction import completion

_CLASSES = ClassTable(
  [
    Category(10, 'cup', True),
    Category(20, 'sky', False),
    Category(30, 'cat', True),
  ]
)
_SIZE = (8, 8)


def _rule(**changes):
  rule = decode.Rule((8, 8), num_classes=4, max_instances=6)
  return rule._replace(**changes)


def _prepare(ids, listed, rule=None, size=None):
  ids = np.array(ids, np.int32)
  size = size or ids.shape
  segments = [Segment(i, category) for i, category in listed.items()]
  return completion.prepare(
    PanopticMap(ids, segments), size, _SIZE, _SIZE, rule or _rule(), _CLASSES
  )


def _left(*columns):
  """A map `[8, 8]` of eight ids in a row, all rows alike."""
  return np.repeat(np.array([columns]), 8, axis=0)


def _complete(given, classes, ids, rule=None):
  label_map = np.stack([_left(*classes), _left(*ids)], axis=-1)
  found = completion.complete(
    label_map, given, _SIZE, rule or _rule(), _CLASSES
  )
  assert {s.id for s in found.segments} == set(np.unique(found.segment_ids)) - {
    0
  }
  for segment in found.segments:
    assert segment.area == np.sum(found.segment_ids == segment.id)
  return found.segment_ids[3].tolist(), {
    s.id: s.category_id for s in found.segments
  }


@pytest.mark.parametrize('original', [(50, 20), (24, 60), (7, 9)])
def test_labels_are_looked_up_as_in_training(original):
  ids = np.random.default_rng(0).integers(0, 5, original).astype(np.int32)
  listed = [Segment(i, (10, 20, 30, 10)[i - 1]) for i in range(1, 5)]
  crop_resize = geometry.fit(tf.constant(original), (32, 32))
  classes = np.array([0, 1, 2, 3, 1])[ids]
  label_map = tf.constant(np.stack([classes, ids], -1), tf.int32)
  example = dataset.DecodedExample(
    tf.zeros([*original, 3], tf.uint8), {0: label_map}
  )
  expected = transforms.apply_segmentation(
    example, crop_resize, (32, 32), (16, 16)
  )[0].numpy()
  found = completion.prepare(
    PanopticMap(ids, listed),
    original,
    crop_resize.resized.numpy(),
    (16, 16),
    _rule(image_size=(32, 32)),
    _CLASSES,
  )
  np.testing.assert_array_equal(found.label_map, expected)
  np.testing.assert_array_equal(found.known, expected[..., 1] > 0)
  np.testing.assert_array_equal(found.labels, label_map)
  assert found.label_map.dtype == np.int32


def test_many_colours_are_numbered_and_few_ids_kept():
  given = _prepare(_left(5, 5, 2, 2, 0, 0, 0, 0), {5: 10, 2: 20})
  assert given.model_ids == {5: 5, 2: 2}
  given = _prepare(_left(999, 999, 2, 2, 0, 0, 0, 0), {999: 10, 2: 20})
  assert given.model_ids == {999: 1, 2: 2}
  assert given.label_map[0, :5].tolist() == [
    *([1, 1], [1, 1], [2, 2], [2, 2], [0, 0])
  ]


def test_crowds_are_unknown():
  segments = [Segment(1, 10, 1), Segment(2, 30)]
  ids = _left(1, 1, 1, 1, 2, 2, 0, 0).astype(np.int32)
  given = completion.prepare(
    PanopticMap(ids, segments), _SIZE, _SIZE, _SIZE, _rule(), _CLASSES
  )
  assert given.known[0].tolist() == [False] * 4 + [True] * 2 + [False] * 2
  assert [s.id for s in given.panoptic.segments] == [2]
  assert set(np.unique(given.panoptic.segment_ids)) == {0, 2}


def test_a_model_without_classes_is_given_ids_alone():
  given = _prepare(_left(3, 3, 0, 0, 0, 0, 0, 0), {3: 10}, _rule(num_classes=1))
  assert given.label_map[0, 0].tolist() == [0, 3]
  found, listed = _complete(
    given,
    [0] * 8,
    [3, 3, 3, 3, 2, 2, 0, 0],
    _rule(num_classes=1),
  )
  assert found == [3, 3, 3, 3, 1, 1, 0, 0]
  assert listed == {3: 10, 1: 10}


def test_given_segments_grow_and_new_ones_take_no_given_id():
  given = _prepare(_left(1, 1, 2, 2, 0, 0, 0, 0), {1: 10, 2: 20})
  # Of id 1 there is a cup, which grows, and a cat, which is new.
  found, listed = _complete(
    given, [1, 1, 2, 2, 1, 3, 3, 1], [1, 1, 2, 2, 1, 1, 4, 4]
  )
  # Ids 4 are one segment, of the lower class where two are as frequent.
  assert found == [1, 1, 2, 2, 1, 4, 3, 3]
  assert listed == {1: 10, 2: 20, 3: 10, 4: 30}


def test_given_pixels_stay_whatever_the_answer():
  given = _prepare(_left(700, 700, 0, 0, 0, 0, 0, 0), {700: 30})
  found, listed = _complete(given, [2] * 8, [5] * 8)
  assert found == [700, 700, 1, 1, 1, 1, 1, 1]
  assert listed == {700: 30, 1: 20}


def test_void_with_a_given_id_is_void():
  given = _prepare(_left(1, 1, 0, 0, 0, 0, 0, 0), {1: 30})
  # A cup of the id is new; its key is no void pixel's.
  found, listed = _complete(
    given, [3, 3, 0, 0, 0, 0, 0, 1], [1, 1, 1, 1, 1, 1, 1, 1]
  )
  assert found == [1, 1, 0, 0, 0, 0, 0, 2]
  assert listed == {1: 30, 2: 10}


def test_stuff_by_class_and_id_joins_the_given_stuff():
  rule = _rule(segments_by='class_and_id')
  given = _prepare(_left(1, 1, 2, 2, 0, 0, 0, 0), {1: 10, 2: 20}, rule)
  answer = [1, 1, 2, 2, 2, 1, 3, 3], [1, 1, 2, 2, 5, 5, 5, 1]
  found, listed = _complete(given, *answer, rule)
  assert found[:5] == [1, 1, 2, 2, 2]
  assert len(set(found[5:])) == 3
  assert [listed[i] for i in found[5:]] == [10, 30, 30]
  # By id the sky of another id is a segment with the others of it.
  found, _ = _complete(given, *answer)
  assert found[4] == found[5] == found[6] != 2


def test_small_segments_become_void_but_given_ones():
  given = _prepare(_left(1, 0, 0, 0, 0, 0, 0, 0), {1: 10})
  found, _ = _complete(
    given,
    [1, 3, 3, 3, 3, 3, 3, 1],
    [1, 2, 2, 2, 2, 2, 2, 3],
    _rule(min_segment_pixels=9),
  )
  assert found == [1, 2, 2, 2, 2, 2, 2, 0]


def test_full_resolution_is_kept():
  ids = np.zeros([16, 16], np.int32)
  ids[5, 5] = 1
  given = completion.prepare(
    PanopticMap(ids, [Segment(1, 10)]),
    *((16, 16), _SIZE, _SIZE, _rule(), _CLASSES),
  )
  label_map = np.stack([np.full(_SIZE, 2), np.full(_SIZE, 3)], -1)
  found = completion.complete(label_map, given, _SIZE, _rule(), _CLASSES)
  assert found.segment_ids.shape == (16, 16)
  np.testing.assert_array_equal(found.segment_ids == 1, ids == 1)
  assert np.all(found.segment_ids > 0)


def test_nothing_given_is_the_plain_answer():
  random = np.random.default_rng(0)
  label_map = random.integers(0, [4, 6], [*_SIZE, 2])
  for segments_by in decode.SEGMENTS_BY:
    rule = _rule(segments_by=segments_by)
    given = completion.nothing((20, 30), _SIZE)
    found = completion.complete(label_map, given, _SIZE, rule, _CLASSES)
    expected = decode.decode(label_map, _SIZE, (20, 30), rule, _CLASSES)
    new_id = dict(
      zip(
        (s.id for s in expected.segments),
        (s.id for s in found.segments),
        strict=True,
      )
    )
    np.testing.assert_array_equal(
      np.vectorize({0: 0, **new_id}.get)(expected.segment_ids),
      found.segment_ids,
    )


def test_classes_that_the_model_lacks():
  ids = _left(1, 1, 0, 0, 0, 0, 0, 0)
  with pytest.raises(ValueError, match='category 30, which the model has not'):
    _prepare(ids, {1: 30}, _rule(num_classes=3))


def test_a_first_mask_as_the_answer():
  given = _prepare(_left(4, 4, 0, 0, 2, 2, 2, 2), {4: 30, 2: 20})
  found = completion.as_answer(given, _rule(), _CLASSES)
  np.testing.assert_array_equal(found.segment_ids, given.panoptic.segment_ids)
  assert {s.id: s.category_id for s in found.segments} == {4: 30, 2: 20}
  # With the ids that later frames have, where these are by class and id.
  rule = _rule(segments_by='class_and_id')
  found = completion.as_answer(given, rule, _CLASSES)
  later = decode.decode(given.label_map, _SIZE, _SIZE, rule, _CLASSES)
  np.testing.assert_array_equal(found.segment_ids, later.segment_ids)


@pytest.mark.parametrize(
  ('ids', 'listed', 'sentence'),
  [
    ([[1] * 7] * 8, {1: 10}, 'has 8x7 pixels, but its image has 8x8: give it'),
    (_left(*[1] * 8), {1: 40}, 'segments 1 have unknown category_id 40; use'),
    (_left(*[1] * 8), {2: 10}, 'segment ids 1 are in the map but not in the'),
    (
      _left(1, 2, 3, 4, 5, 6, 6, 6),
      dict.fromkeys(range(1, 7), 10),
      'has 6 segments, but the model has ids for 5: leave the smallest out',
    ),
    (_left(*[0.5] * 8), {}, 'is float'),
  ],
)
def test_what_cannot_be_given(ids, listed, sentence):
  ids = np.asarray(ids)
  segments = [Segment(i, category) for i, category in listed.items()]
  with pytest.raises(ValueError, match=f'^a.png.*{sentence}') as error:
    completion.prepare(
      maps.PanopticMap(ids, segments),
      *(_SIZE, _SIZE, _SIZE, _rule(), _CLASSES, 'a.png'),
    )
  assert '\n' not in str(error.value)
