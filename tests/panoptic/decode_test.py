"""Tests of decoding: label maps to panoptic maps."""

import numpy as np

from panoptic import classes as classes_lib
from panoptic import decode

_CLASSES = classes_lib.ClassTable(
  [
    classes_lib.Category(10, 'cup', True, (200, 0, 0)),
    classes_lib.Category(20, 'sky', False, (0, 200, 0)),
    classes_lib.Category(30, 'cat', True, (0, 0, 200)),
  ]
)


def _segments(classes, ids, min_pixels=0):
  label_map = np.stack([classes, ids], axis=-1).astype(np.int32)
  return decode.from_label_map(label_map, _CLASSES, min_pixels)


def _found(listed):
  return {s.id: s.category_id for s in listed}


def test_majority_class_of_each_id():
  segment_ids, listed, _ = _segments(
    [[1, 1, 2, 2], [3, 1, 2, 1], [3, 3, 0, 2]],
    [[5, 5, 2, 2], [5, 5, 2, 2], [5, 7, 7, 7]],
  )
  # Id 5: four cups, two cats. Id 2: three skies, one cup. Id 7: a cat, a void
  # and a sky, of which the lowest counts.
  assert _found(listed) == {2: 20, 5: 10}
  assert all(s.iscrowd == 0 for s in listed)
  assert segment_ids.dtype == np.int32
  np.testing.assert_array_equal(
    segment_ids, [[5, 5, 2, 2], [5, 5, 2, 2], [5, 0, 0, 0]]
  )


def test_ties_go_to_the_lower_class():
  _, listed, _ = _segments([[3, 2], [2, 3]], [[1, 1], [1, 1]])
  assert _found(listed) == {1: 20}


def test_ids_of_mostly_void_are_void():
  segment_ids, listed, _ = _segments([[0, 0, 3, 3]], [[4, 4, 4, 1]])
  assert _found(listed) == {1: 30}
  np.testing.assert_array_equal(segment_ids, [[0, 0, 0, 1]])


def test_id_zero_is_void_whatever_its_class():
  segment_ids, listed, _ = _segments([[2, 2]], [[0, 0]])
  assert listed == []
  np.testing.assert_array_equal(segment_ids, [[0, 0]])


def test_small_segments_become_void():
  classes, ids = [[1, 1, 1, 2, 2, 3]], [[1, 1, 1, 2, 2, 3]]
  expected = {0: [1, 2, 3], 1: [1, 2, 3], 2: [1, 2], 3: [1], 4: []}
  for min_pixels, kept in expected.items():
    segment_ids, listed, _ = _segments(classes, ids, min_pixels)
    assert list(_found(listed)) == kept
    assert set(np.unique(segment_ids)) - {0} == set(kept)


def test_pixels_of_other_classes_count_for_the_size():
  # The size is the id's, not that of its majority.
  _, listed, _ = _segments([[1, 1, 2, 2, 1]], [[9, 9, 9, 9, 9]], min_pixels=5)
  assert _found(listed) == {9: 10}


def test_one_class_may_have_several_segments():
  _, listed, _ = _segments([[1, 1, 1]], [[1, 2, 3]])
  assert _found(listed) == {1: 10, 2: 10, 3: 10}


def _by_class_and_id(classes, ids, max_instances=8):
  label_map = np.stack([classes, ids], axis=-1).astype(np.int32)
  label_map = decode.by_class_and_id(label_map, _CLASSES, max_instances)
  return decode.from_label_map(label_map, _CLASSES)


def test_a_class_and_an_id_is_a_segment_and_so_is_a_class_of_stuff():
  segment_ids, listed, _ = _by_class_and_id(
    [[1, 1, 3, 2, 2, 3, 0, 1, 2]], [[5, 7, 5, 5, 7, 5, 5, 0, 0]]
  )
  # Two cups, a cat with the id of one of them, the sky of three ids; void where
  # the class is, or a thing's id.
  np.testing.assert_array_equal(segment_ids, [[5, 7, 21, 9, 9, 21, 0, 0, 9]])
  assert _found(listed) == {5: 10, 7: 10, 9: 20, 21: 30}


def test_to_original_size_of_a_smaller_mask():
  label_map = np.zeros([4, 4, 2], np.int32)
  label_map[:2, :2], label_map[:2, 2:] = 1, 2  # The lower half is padding.
  restored = decode.to_original_size(label_map, (8, 8), (4, 8), (6, 12))
  np.testing.assert_array_equal(restored[:, :6], 1)
  np.testing.assert_array_equal(restored[:, 6:], 2)
