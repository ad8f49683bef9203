"""Tests that a graph decodes as `panoptic.decode` does."""

import numpy as np
import pytest
import tensorflow as tf

from export import decode_ops
from panoptic import classes as classes_lib
from panoptic import decode

_CLASSES = classes_lib.ClassTable(
  [
    classes_lib.Category(10, 'cup', True),
    classes_lib.Category(20, 'sky', False),
    classes_lib.Category(5, 'cat', True),
  ]
)
_IMAGE_SIZE = (32, 48)


def _expected(label_map, resized, original, rule):
  found = decode.decode(label_map, resized, original, rule, _CLASSES)
  class_ids = np.zeros_like(found.segment_ids)
  for segment in found.segments:
    class_ids[found.segment_ids == segment.id] = segment.category_id
  return class_ids, found.segment_ids


@pytest.mark.parametrize('segments_by', decode.SEGMENTS_BY)
@pytest.mark.parametrize('num_classes', [1, 4, 6])
@pytest.mark.parametrize('max_instances', [1, 5, 100])
def test_random_maps(segments_by, num_classes, max_instances):
  random = np.random.default_rng(num_classes * max_instances)
  for min_pixels in (0, 30):
    rule = decode.Rule(
      _IMAGE_SIZE, num_classes, max_instances, segments_by, min_pixels
    )
    for resized, original in (
      ((32, 48), (32, 48)),
      ((32, 20), (77, 48)),
      ((1, 48), (3, 200)),
      ((13, 48), (5, 18)),
    ):
      # Few values, so that there are ties.
      label_map = np.stack(
        [
          random.integers(0, num_classes, [8, 12]),
          random.integers(0, max_instances, [8, 12]),
        ],
        axis=-1,
      ).astype(np.int32)
      tensors = map(tf.constant, (label_map, resized, original))
      found = decode_ops.decode(*tensors, rule, _CLASSES)
      for map_, expected in zip(
        found, _expected(label_map, resized, original, rule), strict=True
      ):
        assert map_.dtype == tf.int32
        np.testing.assert_array_equal(map_, expected)


def test_ties_go_to_the_lower_class_and_void_wins_them():
  class_map = tf.constant([[3, 2, 0, 1]])
  ids = tf.constant([[1, 1, 2, 2]])
  found = decode_ops.majority_class(class_map, ids, 4, 3)
  np.testing.assert_array_equal(found, [[2, 2, 0, 0]])


def test_an_image_of_many_pixels_is_traced_back_without_overflow():
  label_map = np.arange(2 * 4096 * 2, dtype=np.int32).reshape(2, 4096, 2)
  sizes = (8192, 8192), (1, 8192), (2, 100_000)
  expected = decode.to_original_size(label_map, *sizes)
  found = decode_ops.to_original_size(
    tf.constant(label_map), sizes[0], *map(tf.constant, sizes[1:])
  )
  np.testing.assert_array_equal(found, expected)
