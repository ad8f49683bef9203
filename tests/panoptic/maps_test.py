"""Panoptic maps: from label files, stuff merged, runs and areas, segments."""

import numpy as np
import pytest

from panoptic import maps, runs, segment_table
from panoptic.classes import Category, ClassTable
from panoptic.maps import Segment

CLASSES = ClassTable([Category(1, 'car', True), Category(2, 'sky', False)])


def segments_by_tens(ids, areas):
  """Category 0, 1 or 2 by the tens of an id."""
  return [
    Segment(i, i // 10, 0, area)
    for i, area in zip(ids.tolist(), areas.tolist(), strict=True)
  ]


def test_segments_of_a_label_file_that_are_void_become_void():
  ids = np.array([[0, 5, 11], [7, 20, 20]], np.uint8)
  found = maps.from_label_ids(ids, segments_by_tens)
  np.testing.assert_array_equal(found.segment_ids, [[0, 0, 11], [0, 20, 20]])
  assert found.segment_ids.dtype == np.uint8
  assert found.segments == [Segment(11, 1, 0, 1), Segment(20, 2, 0, 2)]
  # Pixels without an id are the background of DAVIS, not void.
  np.testing.assert_array_equal(
    found.void, [[False, True, False], [True, False, False]]
  )
  assert ids[0, 1] == 5


def test_a_label_file_without_void_is_taken_as_it_is():
  ids = np.array([[11, 0]])
  found = maps.from_label_ids(ids, segments_by_tens)
  assert found.segment_ids is ids and found.void is None


def test_runs_end_with_the_row_and_where_either_map_changes():
  first = np.array([[1, 1, 2, 2], [2, 2, 2, 2]])
  second = np.array([[7, 7, 7, 8], [8, 8, 8, 8]])
  found = runs.find_runs(first, second)
  assert found.start.tolist() == [0, 2, 3, 4]
  assert found.length.tolist() == [2, 1, 1, 4]


def test_areas_equal_a_count_of_pixels():
  ids = np.random.default_rng(0).integers(3, 9, [20, 30])
  values, areas = runs.areas(ids)
  expected, counts = np.unique(ids, return_counts=True)
  np.testing.assert_array_equal(values, expected)
  np.testing.assert_array_equal(areas, counts)


def test_a_segment_table_starts_with_void():
  table = segment_table.index_segments(
    [Segment(9, 2), Segment(4, 1, 1)], {1: 0, 2: 1}, 'image 3'
  )
  assert table.ids.tolist() == [0, 9, 4]
  assert table.category.tolist() == [-1, 1, 0]
  assert table.crowd.tolist() == [False, False, True]
  rows = segment_table.rows_of(np.array([4, 0, 9]), table.ids, 'image 3')
  assert rows.tolist() == [2, 0, 1]
  with pytest.raises(ValueError, match='image 3: segment ids 5 are in the map'):
    segment_table.rows_of(np.array([4, 5]), table.ids, 'image 3')


def test_masks_of_segments_lie_over_each_other():
  wall = np.ones([2, 3], bool)
  cup = np.array([[0, 255, 255], [0, 0, 0]], np.uint8)
  hidden, over = np.array([[0, 0, 1], [0, 0, 0]]), cup > 0
  found = maps.from_masks([wall, hidden, cup, over], [7, 2, 2, 3])
  np.testing.assert_array_equal(found.segment_ids, [[1, 4, 4], [1, 1, 1]])
  assert found.segments == [Segment(1, 7, 0, 4), Segment(4, 3, 0, 2)]
  assert found.segment_ids.dtype == np.int32 and found.void is None
  nothing = maps.from_masks([np.zeros([2, 3])], [1])
  assert not nothing.segments and not nothing.segment_ids.any()


@pytest.mark.parametrize(
  ('masks', 'categories', 'sentence'),
  [
    ([], [], 'there are 0 masks and 0 categories: give one mask or more'),
    ([np.ones([2, 2])], [1, 2], 'there are 1 masks and 2 categories'),
    (
      [np.ones([2, 2]), np.ones([2, 3])],
      [1, 2],
      r'mask 1 has the shape \[2, 3\], but mask 0 \[2, 2\]: give all masks',
    ),
    ([np.ones([2, 2, 3])], [1], r'mask 0 has the shape \[2, 2, 3\]'),
    ([np.ones([4])], [1], r'mask 0 has the shape \[4\]'),
  ],
)
def test_masks_that_make_no_map_are_refused(masks, categories, sentence):
  with pytest.raises(ValueError, match=sentence) as error:
    maps.from_masks(masks, categories)
  assert '\n' not in str(error.value)
