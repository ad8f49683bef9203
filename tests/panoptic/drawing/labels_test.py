"""Tests of texts on drawings."""

import numpy as np
import pytest

from panoptic.drawing import labels


def _written(size, *found):
  """Where letters stand on a gray picture: bool `[h, w]`."""
  image = np.full([*size, 3], 100, np.uint8)
  return (labels.write(image, found) != image).any(-1)


def _mask(size, rows, columns):
  mask = np.zeros(size, bool)
  mask[rows, columns] = True
  return mask


@pytest.mark.parametrize(
  ('rows', 'columns'),
  [
    (slice(0, 2), slice(0, 2)),
    (slice(-2, None), slice(-2, None)),
    (slice(None), slice(0, 1)),
    (slice(0, 1), slice(None)),
  ],
)
def test_texts_at_the_edge_are_whole(rows, columns):
  size = 60, 90
  middle = _written(size, labels.Label('car', np.ones(size, bool)))
  edge = _written(size, labels.Label('car', _mask(size, rows, columns)))
  assert edge.sum() == middle.sum() > 50


def test_texts_do_not_overlap_and_the_smaller_gives_way():
  size = 40, 60
  large = labels.Label('tree', np.ones(size, bool))
  small = labels.Label('tree', _mask(size, slice(16, 24), slice(26, 34)))
  one = _written(size, large)
  both = _written(size, small, large)
  assert (both & one).sum() == one.sum()
  assert both.sum() == 2 * one.sum()  # Beside the other one.
  many = _written(size, large, *[small] * 20)
  assert many.sum() < 5 * one.sum()  # For others there is no room.


def test_texts_larger_than_the_picture_are_left_out():
  for size in ((1, 900), (900, 5)):
    label = labels.Label('traffic light', np.ones(size, bool))
    assert not _written(size, label).any()


def test_a_text_stands_in_the_middle_of_its_segment():
  size = 100, 200
  mask = _mask(size, slice(10, 90), slice(100, 180))
  mask[98:] = True  # Its widest row is elsewhere.
  y, x = np.nonzero(_written(size, labels.Label('car', mask)))
  assert abs(y.mean() - 50) < 8 and abs(x.mean() - 140) < 8


def test_fonts_follow_the_longer_side():
  sizes = [
    labels.font(*size).size for size in ((32, 32), (512, 1024), (64, 4096))
  ]
  assert sizes == [12, 28, 12]
