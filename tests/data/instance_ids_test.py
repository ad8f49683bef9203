"""Tests of areas and the draw of instance ids."""

import numpy as np
import tensorflow as tf

from data import instance_ids


def test_ranks_go_by_area_and_then_by_number():
  numbers = tf.constant([[[3, 3, 3], [1, 5, 0]], [[2, 2, 0], [0, 0, 0]]])
  areas, ranks = instance_ids.rank_by_area(numbers, 6)
  np.testing.assert_array_equal(areas, [[1, 1, 0, 3, 0, 1], [4, 0, 2, 0, 0, 0]])
  np.testing.assert_array_equal(ranks.numpy()[0, [0, 3, 1, 5]], [0, 1, 2, 3])
  assert ranks[1, 2] == 1


def _map_with(segments: int) -> np.ndarray:
  """A map `[1, 8, n, 2]` in which segment i has 2 + (n - i) % 5 pixels."""
  label_map = np.zeros([1, 8, segments, 2], np.int32)
  for i in range(segments):
    label_map[0, : 2 + (segments - i) % 5, i] = (i % 3 + 1, i + 1)
  return label_map


def _draw(label_map, max_instances, seed=0):
  seeds = [[seed, i] for i in range(len(label_map))]
  drawn, dropped = instance_ids.draw_instance_ids(
    tf.constant(label_map), max_instances, tf.constant(seeds, tf.int64)
  )
  return drawn.numpy(), dropped.numpy()


def test_draw_only_renames_segments():
  label_map = _map_with(9)
  drawn, dropped = _draw(label_map, 101)
  assert dropped == [0]
  np.testing.assert_array_equal(drawn[..., 0], label_map[..., 0])
  pairs = set(zip(label_map[..., 1].flat, drawn[..., 1].flat, strict=True))
  assert len(pairs) == 10  # Nothing merged, nothing split.
  assert (0, 0) in pairs
  assert len({new for _, new in pairs}) == 10
  assert drawn[..., 1].max() <= 100


def test_draw_is_a_permutation_where_all_ids_are_needed():
  drawn, _ = _draw(_map_with(7), 8)
  assert set(drawn[..., 1].flat) == set(range(8))


def test_draw_gives_every_id_to_every_segment():
  seen = {
    tuple(_draw(_map_with(2), 4, seed)[0][0, 0, :, 1]) for seed in range(60)
  }
  assert seen == {(a, b) for a in (1, 2, 3) for b in (1, 2, 3) if a != b}


def test_draw_drops_the_smallest():
  label_map = _map_with(9)
  drawn, dropped = _draw(label_map, 6)
  assert dropped == [4]
  areas = np.bincount(label_map[..., 1].ravel())[1:]
  gone = drawn[0, 0, :, 1] == 0
  assert gone.sum() == 4
  assert areas[gone].max() <= areas[~gone].min()
  np.testing.assert_array_equal(drawn[..., 0] == 0, drawn[..., 1] == 0)


def test_draw_differs_between_examples_and_not_between_calls():
  label_map = np.repeat(_map_with(9), 2, axis=0)
  first, _ = _draw(label_map, 101)
  second, _ = _draw(label_map, 101)
  np.testing.assert_array_equal(first, second)
  assert (first[0] != first[1]).any()


def test_draw_on_a_void_map():
  drawn, dropped = _draw(np.zeros([2, 4, 4, 2], np.int32), 16)
  assert not drawn.any() and not dropped.any()
