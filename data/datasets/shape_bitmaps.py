"""The looks of the classes of the procedural scenes.

The outline of a thing and the pattern of stuff are looked up in bitmaps, so
that drawing costs the same for each.
"""

import math

import numpy as np

THINGS = ('disk', 'square', 'triangle', 'star', 'ring', 'cross')
STUFF = ('stripes', 'checks', 'dots', 'plain', 'waves', 'bricks')
SIDE = 128  # Of a bitmap; a power of two.


def outlines() -> np.ndarray:
  """int32 `[things, SIDE, SIDE]`: 1 inside, for x and y in -1..1."""
  axis = (np.arange(SIDE) + 0.5) * 2 / SIDE - 1
  y, x = axis[:, np.newaxis], axis[np.newaxis, :]
  r, angle = np.hypot(x, y), np.arctan2(y, x)

  def star(tips: int, waist: float) -> np.ndarray:
    """Tips at radius 0.95, straight edges to corners at `waist` of it."""
    half = math.pi / tips
    turn = np.abs((angle + half) % (2 * half) - half)  # 0: tip; half: corner.
    slope = (1 - waist * math.cos(half)) / (waist * math.sin(half))
    return r * (np.cos(turn) + slope * np.sin(turn)) < 0.95

  far, near = np.maximum(abs(x), abs(y)), np.minimum(abs(x), abs(y))
  return np.stack(
    [
      r < 0.85,
      far < 0.7,
      star(3, 0.5),
      star(5, 0.42),
      (r < 0.95) & (r > 0.5),
      (near < 0.27) & (far < 0.9),
    ]
  ).astype(np.int32)


def patterns() -> np.ndarray:
  """float32 `[stuff, SIDE, SIDE]` in -1..1: a period of each pattern."""
  axis = (np.arange(SIDE) + 0.5) / SIDE
  y, x = np.meshgrid(axis, axis, indexing='ij')
  zigzag = (2 * (y + 0.6 * abs(x - 0.5))) % 1
  bricks = ((x + 0.5 * (y > 0.5)) % 1 > 0.14) & (y % 0.5 > 0.1)
  light = [
    (2 * y) % 1 < 0.5,
    (x < 0.5) == (y < 0.5),
    np.hypot(x - 0.5, y - 0.5) < 0.3,
    zigzag < 0.5,
    bricks,
  ]
  periods = [np.where(inside, 1.0, -1.0) for inside in light]
  periods.insert(STUFF.index('plain'), np.zeros_like(x))
  return np.stack(periods).astype(np.float32)
