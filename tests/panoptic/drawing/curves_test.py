"""Tests of charts."""

import math

import numpy as np
import pytest

from panoptic.drawing import curves

_BLUE = (31, 119, 180)


def _is_blue(image):
  return np.all(image == _BLUE, axis=-1)


def _chart(values, steps=None):
  steps = list(range(len(values))) if steps is None else steps
  return curves.chart('losses', [curves.Curve('loss', steps, values)])


def _heights(image):
  """The row of the first and of the last point of the one curve."""
  # Below the legend.
  rows, columns = np.nonzero(_is_blue(image[45:]))
  first = rows[columns <= columns.min() + 2].mean()
  return first, rows[columns >= columns.max() - 2].mean()


def test_a_curve_goes_from_its_first_to_its_last_value():
  rising, falling = _chart([1.0, 2.0, 3.0]), _chart([3.0, 2.0, 1.0])
  assert rising.shape == (360, 900, 3) and rising.dtype == np.uint8
  first, last = _heights(rising)
  assert first - last > 200
  first, last = _heights(falling)
  assert last - first > 200


def test_values_of_very_different_sizes_have_a_logarithmic_axis():
  rows = [np.nonzero(_is_blue(_chart([1.0, x, 100.0])[45:]))[0] for x in (10,)]
  first, last = _heights(_chart([1.0, 10.0, 100.0]))
  middle = (first + last) / 2
  assert min(abs(rows[0] - middle)) < 3
  # A straight line: of a linear axis it would sag.
  image = _is_blue(_chart([1.0, 10.0, 100.0])[45:])
  column = image[:, np.flatnonzero(image.any(0))].T
  centers = [np.flatnonzero(c).mean() for c in column if c.any()]
  straight = np.linspace(centers[0], centers[-1], len(centers))
  assert np.abs(centers - straight).max() < 6


@pytest.mark.parametrize(
  'values',
  [
    [],
    [1.0],
    [0.0, 0.0],
    [math.nan, math.inf],
    [math.nan, 2.0, -math.inf, 3.0],
    [-5.0, 5.0],
    [1e-12, 1e12],
    [1e-30, 2e-30],
    list(np.random.default_rng(0).uniform(size=5000)),
  ],
)
def test_all_values_can_be_drawn(values):
  assert _chart(values).shape == (360, 900, 3)


def test_more_curves_than_colors_and_a_run_that_went_on():
  many = [curves.Curve(f'{i}', [100, 200], [i, i + 1]) for i in range(9)]
  assert curves.chart('many', many).shape == (360, 900, 3)
  assert curves.chart('none', []).shape == (360, 900, 3)


def test_ticks_are_round_and_few():
  for low, high in ((0.0, 1.0), (0.13, 0.19), (-7.0, 1e6), (0.0, 12.0)):
    ticks = curves._Axis(np.array([low, high]), 0, 100).ticks()
    assert 2 <= len(ticks) <= 7
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)
    for tick in ticks:
      assert float(f'{tick:.3g}') == pytest.approx(tick)
  for low, high in ((0.01, 0.3), (1e-12, 1e12), (3.0, 40.0)):
    axis = curves._Axis(np.array([low, high]), 0, 100, logarithmic=True)
    assert 2 <= len(axis.ticks()) <= 7
