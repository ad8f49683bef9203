"""Tests of plots."""

import numpy as np
import pytest

from panoptic.drawing import plots


def _blue(image):
  """Rows and columns of the pixels of line, dots and bars."""
  return np.argwhere((image == plots._COLOR).all(-1))


@pytest.mark.parametrize('logarithmic', [False, True])
def test_a_line_rises_from_left_to_right(logarithmic):
  points = [plots.Point(1, 10.0), plots.Point(2, 20.0), plots.Point(40, 70.0)]
  image = plots.line(points, 'PQ', 'steps', logarithmic)
  assert image.dtype == np.uint8 and image.shape == (400, 640, 3)
  y, x = _blue(image).T
  assert y[x == x.min()].mean() > y[x == x.max()].mean() + 100


def test_a_deviation_is_a_bar_as_long():
  heights = []
  for deviation in (0.0, 5.0, 10.0):
    points = [plots.Point(0, 0.0), plots.Point(1, 40.0, deviation)]
    y, x = _blue(plots.line([*points, plots.Point(2, 60.0)], 'PQ', 'td')).T
    heights.append(np.ptp(y[np.abs(x - 345) < 4]))  # Of the second point.
  assert heights[2] - heights[1] == pytest.approx(heights[1], rel=0.2)


@pytest.mark.parametrize(
  ('low', 'high', 'expected'),
  [
    (0.0, 100.0, [0, 20, 40, 60, 80, 100]),
    (41.3, 43.1, [41, 41.5, 42, 42.5, 43, 43.5]),
  ],
)
def test_ticks_are_round_and_enclose_all(low, high, expected):
  assert plots._ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize('value', [0.0, 55.0, -3.25, 1e6])
def test_one_point_is_drawn(value):
  assert len(_blue(plots.line([plots.Point(1, value)], 'PQ', 'steps', True)))
