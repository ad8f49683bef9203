"""Procedural videos: the scenes of `shapes`, through which objects travel.

Every object moves on a straight line that leads through the image, turning as
it goes, so that objects enter, leave, cross and hide each other; their depth
stays the same. The ground stands still. An object keeps its number whether it
is visible or not. Each (seed, split, video) has its own stream of random
numbers, and each frame its own noise.
"""

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from configs import base
from data.datasets import kitti_step, shape_painting, shapes
from data.reading import spec


class MovingShapes(shapes.Shapes):
  """A `Dataset` of procedural videos; see `data.dataset`.

  Frame t of video v is example v * frames + t.
  """

  name = 'moving_shapes'

  def __init__(self, config: base.MovingShapes, split: str):
    """Makes the tables.

    Args:
      config: The difficulty, number and seed of the videos.
      split: 'train' or 'validation'.

    Raises:
      ValueError: If there is no such split or no video of such difficulty.
    """
    super().__init__(config, split)
    videos, frames = self.num_examples, config.frames
    self.num_examples = videos * frames
    self.image_ids = range(self.num_examples)
    self.sequences = {
      f'{i:06d}': range(i * frames, (i + 1) * frames) for i in range(videos)
    }
    paths = ('passing', 'heading', 'speed', 'spin')
    self._fields |= dict.fromkeys(paths, (config.max_objects,))

  def _bounds(self) -> dict[str, tuple[float, float]]:
    return super()._bounds() | {
      'frames': (1, 1_000_000),
      'min_speed': (0.0, self._config.max_speed),
      'max_speed': (0.0, 1.0),
      'max_spin': (0.0, 0.5),
    }

  def file_name(self, image_id: int) -> str:
    """The name of the frame in result files."""
    video, frame = divmod(image_id, self._config.frames)
    return f'{video:06d}/{frame:05d}.png'

  def load(
    self, indices: tf.Tensor, past_frames: Sequence[int] = ()
  ) -> dict[str, Any]:
    """Renders a batch of frames, with the labels of earlier ones."""
    draws = self._draw(indices // self._config.frames)
    frame = indices % self._config.frames
    t = tf.cast(frame, tf.int32)
    ground = self._ground(draws)
    label_maps = {
      offset: self._frame(draws, t + offset, ground)[0]
      for offset in past_frames
    }
    label_maps[0], (segments, classes, moved) = self._frame(draws, t, ground)
    image = self._image(segments, classes, moved, indices)
    return {'image': image, 'label_maps': label_maps, 'frame': frame}

  def _render(self, indices: tf.Tensor) -> dict[str, Any]:
    return self.load(indices)

  def _frame(self, draws, t, ground):
    """The label map `[B, S, S, 2]` at frame t, and what `_image` needs."""
    region, stuff = ground
    kinds, exists, radius, center = self._things(draws)
    center = center + self._displacement(draws, t)
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
    size = self._config.size
    label_map = tf.ensure_shape(label_map, [None, size, size, 2])
    pattern = _move_patterns(draws['pattern'], center, regions)
    return label_map, (segments, classes, {**draws, 'pattern': pattern})

  def _displacement(self, draws, t):
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


def _move_patterns(pattern, center, regions: int) -> tf.Tensor:
  """The patterns `[B, N, 4]` of `shapes`; an object's moves with the object."""
  ground, objects = pattern[:, :regions], pattern[:, regions:]
  cos, sin = shape_painting.pattern_axes(objects)
  x, y = center[..., 0], center[..., 1]
  shift = tf.stack([x * cos + y * sin, y * cos - x * sin], axis=-1)
  moved = tf.concat([objects[..., :2], objects[..., 2:] - shift], axis=-1)
  return tf.concat([ground, moved], axis=1)


SPEC = spec.DatasetSpec(
  name='moving_shapes',
  result_writer=kitti_step.result_writer,
  open=lambda config, split: MovingShapes(config.moving_shapes, split),
)
