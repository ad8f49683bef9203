"""Charts of values over the steps of a run."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from panoptic.drawing import labels

_COLORS = (
  *((31, 119, 180), (214, 90, 20), (44, 150, 60)),
  *((150, 80, 170), (120, 120, 120), (190, 150, 20)),
)
_SCALE = 2  # Drawn so many times larger, so that lines become smooth.
_MOST_INTERVALS = 6
# A range of values wider than this factor has a logarithmic axis.
_WIDE = 10


class Curve(NamedTuple):
  """Values by step.

  Attributes:
    name: For the legend.
    steps: `[n]`, increasing.
    values: `[n]`; those that are not finite are left out.
  """

  name: str
  steps: Sequence[float]
  values: Sequence[float]


def chart(
  title: str, curves: Sequence[Curve], height: int = 360, width: int = 900
) -> np.ndarray:
  """Draws curves over one axis of steps, under a title and a legend.

  Values that are all positive and of very different sizes have a logarithmic
  axis.

  Args:
    title: What the values are.
    curves: At most six have colours of their own.
    height: In pixels.
    width: In pixels.

  Returns:
    uint8 `[height, width, 3]`.
  """
  size = width * _SCALE, height * _SCALE
  image = Image.new('RGB', size, 'white')
  canvas = ImageDraw.Draw(image)
  letters = labels.font_of_size(13 * _SCALE)
  left, top = 70 * _SCALE, 46 * _SCALE
  right, bottom = size[0] - 20 * _SCALE, size[1] - 26 * _SCALE
  points = [_finite(curve) for curve in curves]
  canvas.text(
    (left, 4 * _SCALE), title, 'black', labels.font_of_size(15 * _SCALE)
  )
  known = np.concatenate([*points, np.zeros([0, 2])])
  if not len(known):
    known = np.array([[0.0, 0.0], [1.0, 1.0]])
  x_axis = _Axis(np.append(known[:, 0], 0.0), left, right)
  is_wide = known[:, 1].min() > 0 and np.ptp(known[:, 1]) > (
    (_WIDE - 1) * known[:, 1].min()
  )
  y_axis = _Axis(known[:, 1], bottom, top, logarithmic=bool(is_wide))
  for value in x_axis.ticks():
    x = x_axis.pixels(value)
    canvas.line([(x, top), (x, bottom)], (235, 235, 235), _SCALE)
    place = x, bottom + 5 * _SCALE
    canvas.text(place, f'{value:.10g}', 'black', letters, anchor='ma')
  for value in y_axis.ticks():
    y = y_axis.pixels(value)
    canvas.line([(left, y), (right, y)], (235, 235, 235), _SCALE)
    place = left - 6 * _SCALE, y
    canvas.text(place, f'{value:.4g}', 'black', letters, anchor='rm')
  canvas.rectangle((left, top, right, bottom), None, (90, 90, 90), _SCALE)
  x = left
  for i, (curve, of_curve) in enumerate(zip(curves, points, strict=True)):
    color = _COLORS[i % len(_COLORS)]
    places = np.stack(
      [x_axis.pixels(of_curve[:, 0]), y_axis.pixels(of_curve[:, 1])], axis=-1
    )
    flat = places.ravel().tolist()
    if len(of_curve) > 1:
      canvas.line(flat, color, 2 * _SCALE, joint='curve')
    if len(of_curve) <= 50:  # Else the line alone shows all.
      for px, py in places.tolist():
        radius = 3 * _SCALE
        box = px - radius, py - radius, px + radius, py + radius
        canvas.ellipse(box, color)
    last = f' {of_curve[-1, 1]:.4g}' if len(of_curve) else ''
    y = 34 * _SCALE
    canvas.line([(x, y), (x + 18 * _SCALE, y)], color, 3 * _SCALE)
    x += 24 * _SCALE
    canvas.text((x, y), curve.name + last, 'black', letters, anchor='lm')
    x += int(letters.getlength(curve.name + last)) + 20 * _SCALE
  return np.asarray(image.reduce(_SCALE))


def _finite(curve: Curve) -> np.ndarray:
  """The points of a curve, float64 `[n, 2]`."""
  points = np.array([curve.steps, curve.values], np.float64).T.reshape(-1, 2)
  return points[np.isfinite(points).all(axis=1)]


class _Axis:
  """Maps values to pixels."""

  def __init__(
    self,
    values: np.ndarray,
    first: int,
    last: int,
    logarithmic: bool = False,
  ):
    """Takes the range of the values.

    Args:
      values: All that will be drawn, finite.
      first: Pixel of the least value.
      last: Pixel of the greatest.
      logarithmic: Whether equal factors have equal lengths.
    """
    self._first, self._last = first, last
    self._logarithmic = logarithmic
    low, high = float(values.min()), float(values.max())
    if low == high:
      half = abs(low) / 2 or 0.5
      low, high = low - half, high + half
    self._low, self._high = low, high

  def pixels(self, values):
    """The pixels of a value or an array of them."""
    if self._logarithmic:
      shares = np.log(np.divide(values, self._low)) / math.log(
        self._high / self._low
      )
    else:
      shares = np.subtract(values, self._low) / (self._high - self._low)
    return self._first + shares * (self._last - self._first)

  def ticks(self) -> list[float]:
    """Round values within the range, seven at most."""
    if self._logarithmic:
      return self._logarithmic_ticks()
    least = (self._high - self._low) / _MOST_INTERVALS
    power = 10.0 ** math.floor(math.log10(least))
    interval = next(m * power for m in (1, 2, 5, 10) if m * power >= least)
    start = math.ceil(self._low / interval - 1e-9)
    end = math.floor(self._high / interval + 1e-9)
    return [i * interval for i in range(start, end + 1)]

  def _logarithmic_ticks(self) -> list[float]:
    powers = range(
      math.floor(math.log10(self._low)), math.ceil(math.log10(self._high)) + 1
    )
    for multiples in ((1, 2, 5), (1,)):
      ticks = [m * 10.0**power for power in powers for m in multiples]
      ticks = [t for t in ticks if self._low <= t <= self._high]
      if len(ticks) <= _MOST_INTERVALS + 1:
        return ticks
    return ticks[:: -(-len(ticks) // _MOST_INTERVALS)]
