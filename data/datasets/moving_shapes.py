"""Procedural videos: the scenes of `shapes`, through which objects travel.

Every object moves on a straight line that leads through the picture, turning
as it goes, so that objects enter, leave, cross and hide each other; their depth
stays the same. The ground stands still. An object keeps its number whether or
not it is seen. Each (seed, split, video) has its own stream of random numbers,
and each frame its own noise.
"""

import math
from typing import Dict, Sequence

import tensorflow as tf

from configs import base
from data.datasets import kitti_step, shapes
from data.reading import spec


class MovingShapes(shapes.Shapes):
  """A data set of procedural videos: a `contract.Rendered`.

  Frame t of video v is example v * frames + t.
  """

  name = 'moving_shapes'

  def __init__(self, config: base.MovingShapes, split: str):
    """Makes the tables.

    Args:
      config: Which videos. Those of a seed, split and number are the same.
      split: 'train' or 'validation'.

    Raises:
      ValueError: If there is no such split or no video of such difficulty.
    """
    super().__init__(config, split)
    _check(config)
    videos, frames = self.num_examples, config.frames
    self.num_examples = videos * frames
    self.image_ids = range(self.num_examples)
    self.sequences = {
      f'{i:06d}': range(i * frames, (i + 1) * frames) for i in range(videos)
    }
    objects = config.max_objects
    self._fields |= {
      name: (objects,) for name in ('passing', 'heading', 'speed', 'spin')
    }

  def first_frame(self, index: tf.Tensor) -> tf.Tensor:
    """The index of the first frame of a frame's video."""
    return index // self._config.frames * self._config.frames

  def file_name(self, image_id: int) -> str:
    """The name of the frame in result files."""
    video, frame = divmod(image_id, self._config.frames)
    return f'{video:06d}/{frame:05d}.png'

  def clips(
    self, indices: tf.Tensor, past_frames: Sequence[int]
  ) -> Dict[str, tf.Tensor]:
    """Renders frames together with the labels of frames before them.

    Args:
      indices: int64 `[B]`, each below `num_examples`.
      past_frames: Offsets of the P past frames.

    Returns:
      'image': uint8 `[B, S, S, 3]`; 'label_map': int32 `[B, S, S, 2 (P + 1)]`,
      class and number of each past frame and then of the frame itself; void
      where the past frame would be before the first; 'image_id': int64 `[B]`.
    """
    frames, size = self._config.frames, self._config.size
    draws = self._draw(indices // frames)
    t = tf.cast(indices % frames, tf.int32)
    ground = self._ground(draws)
    maps = []
    for offset in past_frames:
      label_map, _ = self._frame(draws, t + offset, ground)
      there = (t + offset >= 0)[:, tf.newaxis, tf.newaxis, tf.newaxis]
      maps.append(tf.where(there, label_map, 0))
    label_map, seen = self._frame(draws, t, ground)
    label_map = tf.concat([*maps, label_map], axis=-1)
    shape = [None, size, size, 2 * len(past_frames) + 2]
    return {
      'image': self._image(*seen, indices),
      'label_map': tf.ensure_shape(label_map, shape),
      'image_id': indices,
    }

  def _render(self, indices: tf.Tensor) -> Dict[str, tf.Tensor]:
    return self.clips(indices, ())

  def _frame(self, draws, t, ground):
    """The label map `[B, S, S, 2]` at frame t, and what `_image` needs."""
    region, stuff = ground
    kinds, exists, radius, center = self._things(draws)
    center = center + self._travelled(draws, t)
    turn = draws['turn'] + self._config.max_spin * (
      2 * draws['spin'] - 1
    ) * _column(t)
    top = shapes.uppermost(self._cover(kinds, radius, center, turn), exists)
    regions = self._config.stuff_regions
    segments = tf.where(top > 0, top + regions, region)
    classes = tf.concat([tf.zeros_like(stuff[:, :1]), stuff, kinds + 1], axis=1)

    count = classes.shape[1]
    areas = tf.math.bincount(
      tf.reshape(segments, [-1, math.prod(segments.shape[1:])]),
      minlength=count,
      maxlength=count,
      axis=-1,
    )
    numbers = tf.broadcast_to(tf.range(count), tf.shape(classes))
    table = tf.stack([classes, numbers], axis=-1)
    seen = areas >= shapes.MIN_VISIBLE_PIXELS
    table *= tf.cast(seen[..., tf.newaxis], tf.int32)
    label_map = tf.gather(table, segments, batch_dims=1)
    pattern = _carried(draws['pattern'], center, regions)
    return label_map, (segments, classes, {**draws, 'pattern': pattern})

  def _travelled(self, draws, t):
    """The way of each object from the middle of its path: `[B, O, 2]`."""
    config = self._config
    span = config.max_speed - config.min_speed
    speed = 2 * (config.min_speed + span * draws['speed'])  # Of -1..1.
    angle = 2 * math.pi * draws['heading']
    way = speed * (_column(t) - draws['passing'] * (config.frames - 1))
    return tf.stack([way * tf.cos(angle), way * tf.sin(angle)], axis=-1)


def _column(t: tf.Tensor) -> tf.Tensor:
  """int32 `[B]` to float32 `[B, 1]`."""
  return tf.cast(t, tf.float32)[:, tf.newaxis]


def _carried(pattern, center, regions: int) -> tf.Tensor:
  """The patterns `[B, N, 4]` of `shapes`, those of objects moved with them."""
  of_ground, of_objects = pattern[:, :regions], pattern[:, regions:]
  cos, sin = shapes.pattern_axes(of_objects)
  x, y = center[..., 0], center[..., 1]
  shift = tf.stack([x * cos + y * sin, y * cos - x * sin], axis=-1)
  moved = tf.concat([of_objects[..., :2], of_objects[..., 2:] - shift], axis=-1)
  return tf.concat([of_ground, moved], axis=1)


def _check(config: base.MovingShapes) -> None:
  """Raises ValueError with the first thing that is wrong."""
  for name, low, high in (
    ('frames', 1, 1_000_000),
    ('min_speed', 0.0, config.max_speed),
    ('max_speed', 0.0, 1.0),
    ('max_spin', 0.0, 0.5),
  ):
    value = getattr(config, name)
    if not low <= value <= high:
      raise ValueError(
        f'data.moving_shapes.{name} is {value}; it must be from {low} to {high}'
      )


SPEC = spec.DatasetSpec(
  name='moving_shapes',
  result_writer=kitti_step.result_writer,
  open=lambda config, split: MovingShapes(config.moving_shapes, split),
)
