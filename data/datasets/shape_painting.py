"""Colours, patterns and light of the procedural scenes."""

import math
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from configs import base
from data.datasets import shape_bitmaps

_PATTERNS = shape_bitmaps.patterns()


def paint(
  segments: tf.Tensor,
  classes: tf.Tensor,
  draws: Mapping[str, tf.Tensor],
  config: base.Shapes,
) -> tf.Tensor:
  """Paints colours, patterns and light.

  Args:
    segments: int32 `[B, S, S]`, from 1.
    classes: int32 `[B, N + 1]`, of segments 0..N; stuff comes first.
    draws: Uniform draws by name, float32 `[B, ...]`.
    config: Of the scenes.

  Returns:
    float32 `[B, S, S, 3]`, about [0, 1].
  """
  x, y = grid(config.size)
  regions = config.stuff_regions

  def at_pixels(by_segment):  # [B, N, ...] -> [B, S, S, ...]
    return tf.gather(by_segment, segments - 1, batch_dims=1)

  # Any pattern may lie on an object, more faintly than on stuff.
  own = classes[:, 1 : regions + 1] - 1 - config.thing_classes
  any_kind = tf.cast(draws['object_pattern'] * config.stuff_classes, tf.int32)
  kind = at_pixels(tf.concat([own, any_kind], axis=1))
  faint = 0.7 * draws['object_strength']
  strength = tf.concat([tf.ones([tf.shape(own)[0], regions]), faint], axis=1)
  strength = config.texture * at_pixels(strength)
  cos, sin = (at_pixels(axis) for axis in pattern_axes(draws['pattern']))
  # Adding whole periods keeps the coordinates positive.
  right = 16 + x * cos + y * sin + at_pixels(draws['pattern'][..., 2])
  down = 16 + y * cos - x * sin + at_pixels(draws['pattern'][..., 3])
  column = _wrap(tf.cast(right * shape_bitmaps.SIDE, tf.int32))
  row = _wrap(tf.cast(down * shape_bitmaps.SIDE, tf.int32))
  pattern = strength * tf.gather(
    _PATTERNS.ravel(),
    (kind * shape_bitmaps.SIDE + row) * shape_bitmaps.SIDE + column,
  )

  angle = 2 * math.pi * draws['light'][:, 0, tf.newaxis, tf.newaxis]
  light = 1 + 0.15 * draws['light'][:, 1, tf.newaxis, tf.newaxis] * (
    x * tf.cos(angle) + y * tf.sin(angle)
  )
  color = at_pixels(_colors(draws)) + pattern[..., tf.newaxis]
  return color * light[..., tf.newaxis]


def grid(size: int):
  """x `[1, S]` and y `[S, 1]` of the pixel centres, in -1..1."""
  axis = ((np.arange(size) + 0.5) * 2 / size - 1).astype(np.float32)
  return axis[np.newaxis, :], axis[:, np.newaxis]


def pattern_axes(pattern: tf.Tensor):
  """Cosine and sine of the patterns `[B, N, 4]`, times their frequency."""
  turn = 2 * math.pi * pattern[..., 0]
  frequency = 1 / (0.26 + 0.14 * pattern[..., 1])  # Of -1..1.
  return tf.cos(turn) * frequency, tf.sin(turn) * frequency


def _wrap(cell: tf.Tensor) -> tf.Tensor:
  """Remainder by the bitmaps' side, a power of two: faster than a division."""
  return tf.bitwise.bitwise_and(cell, shape_bitmaps.SIDE - 1)


def _colors(draws) -> tf.Tensor:
  """RGB float32 `[B, N, 3]`, apart in hue, and neighbours in hue in value."""
  place = tf.argsort(draws['hue'])  # A random permutation.
  count = place.shape[1]
  hue = draws['first_hue'] + tf.cast(place, tf.float32) / count
  value = tf.where(place % 2 == 0, 0.78, 0.4) + 0.17 * draws['value']
  chroma = value * (0.4 + 0.5 * draws['saturation'])
  channels = []
  for shift in (5.0, 3.0, 1.0):  # Red, green and blue of HSV.
    k = (shift + 6 * hue) % 6
    ramp = tf.clip_by_value(tf.minimum(k, 4 - k), 0.0, 1.0)
    channels.append(value - chroma * ramp)
  return tf.stack(channels, axis=-1)
