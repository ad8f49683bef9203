"""A plot of means and deviations."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from panoptic.drawing import labels

_SIZE = 640, 400  # Width and height, in pixels.
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 40, 60  # Margins.
_LETTERS, _CAP, _DOT = 14, 5, 4  # Height of letters; half of bars and dots.
_COLOR, _FAINT = (31, 90, 160), (220, 220, 220)


class Point(NamedTuple):
  """A mean at `x`, and its standard deviation, 0 if it is not known."""

  x: float
  mean: float
  deviation: float = 0.0


def line(
  points: Sequence[Point],
  title: str,
  x_label: str,
  logarithmic: bool = False,
) -> np.ndarray:
  """Means joined by a line, with bars of one standard deviation.

  Args:
    points: At least one, from left to right.
    title: Above the plot; it says what is shown upward.
    x_label: Below the plot.
    logarithmic: Whether the horizontal axis is; then every x is positive.

  Returns:
    uint8 `[h, w, 3]`.
  """
  width, height = _SIZE
  image = Image.new('RGB', _SIZE, 'white')
  canvas = ImageDraw.Draw(image)
  letters = labels.font_of_size(_LETTERS)
  places = [math.log(p.x) if logarithmic else p.x for p in points]
  ticks = _ticks(
    min(p.mean - p.deviation for p in points),
    max(p.mean + p.deviation for p in points),
  )

  def x_of(place: float) -> float:
    span = places[-1] - places[0] or 1.0
    share = (place - places[0]) / span
    return _LEFT + 20 + share * (width - _LEFT - _RIGHT - 40)

  def y_of(value: float) -> float:
    share = (value - ticks[0]) / (ticks[-1] - ticks[0])
    return height - _BOTTOM - share * (height - _TOP - _BOTTOM)

  canvas.text((width // 2, _TOP // 2), title, 'black', letters, anchor='mm')
  canvas.text(
    (width // 2, height - _BOTTOM // 3), x_label, 'black', letters, anchor='mm'
  )
  for tick in ticks:
    y = y_of(tick)
    canvas.line((_LEFT, y, width - _RIGHT, y), _FAINT)
    canvas.text((_LEFT - 8, y), f'{tick:g}', 'black', letters, anchor='rm')
  centers = [
    (x_of(place), y_of(point.mean))
    for place, point in zip(places, points, strict=True)
  ]
  canvas.line(centers, _COLOR, 2)
  for (x, y), point in zip(centers, points, strict=True):
    canvas.text(
      (x, height - _BOTTOM + 12), f'{point.x:g}', 'black', letters, anchor='mm'
    )
    canvas.ellipse((x - _DOT, y - _DOT, x + _DOT, y + _DOT), _COLOR)
    if point.deviation:
      ends = [y_of(point.mean + s * point.deviation) for s in (-1, 1)]
      canvas.line((x, ends[0], x, ends[1]), _COLOR)
      for end in ends:
        canvas.line((x - _CAP, end, x + _CAP, end), _COLOR)
  return np.asarray(image)


def _ticks(low: float, high: float) -> list[float]:
  """Four to nine round numbers around an interval."""
  rough = max(high - low, 1.0) / 5  # All may be equal.
  unit = 10 ** math.floor(math.log10(rough))
  step = next(unit * m for m in (1, 2, 5, 10) if unit * m >= rough)
  first, last = math.floor(low / step), math.ceil(high / step)
  last = max(last, first + 1)
  return [round(n * step, 10) for n in range(first, last + 1)]
