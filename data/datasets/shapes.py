"""Procedural panoptic scenes: they need no download and never run out.

The ground is split by wavy lines into regions of stuff, and objects lie on it,
the later ones over the earlier ones. The pattern shows the class of stuff, and
the outline that of a thing. Colours are drawn anew for every segment: they
separate neighbours but do not show the class. Each (seed, split, index) has its
own stream of random numbers; everything after the draw is computed for a whole
batch of scenes at a time.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from configs import base
from data import dataset, instance_ids
from data.datasets import shape_bitmaps, shape_painting
from data.reading import spec
from panoptic import classes as classes_lib
from panoptic import decode, maps

SPLITS = ('train', 'validation')

# An object that shows a smaller share of itself, or fewer pixels, is left out.
# A region of stuff with fewer pixels is void.
MIN_VISIBLE_SHARE = 0.25
MIN_VISIBLE_PIXELS = 12


class Shapes:
  """A `Dataset` of procedural scenes; see `data.dataset`."""

  name = 'shapes'

  parallel_reads = 1

  def __init__(self, config: base.Shapes, split: str):
    """Makes the tables.

    Args:
      config: The difficulty, number and seed of the scenes. A scene depends on
        these, the split and the index alone.
      split: 'train' or 'validation'.

    Raises:
      ValueError: If there is no such split or no scene of such difficulty.
    """
    if split not in SPLITS:
      raise ValueError(
        f'{self.name} has no split {split!r}: choose one of {", ".join(SPLITS)}'
      )
    self._config = config
    for name, (low, high) in self._bounds().items():
      value = getattr(config, name)
      if not low <= value <= high:
        raise ValueError(
          f'data.{self.name}.{name} is {value}; it must be from {low} to {high}'
        )
    self._seed = (config.seed, SPLITS.index(split))
    train = split == 'train'
    self.num_examples = config.train_examples if train else config.eval_examples
    self.image_ids: Sequence[int] = range(self.num_examples)
    self.sequences: Mapping[str, range] = {}
    names = (
      shape_bitmaps.THINGS[: config.thing_classes]
      + shape_bitmaps.STUFF[: config.stuff_classes]
    )
    self.classes = classes_lib.ClassTable(
      [
        classes_lib.Category(
          i + 1, name, i < config.thing_classes, classes_lib.palette_color(i)
        )
        for i, name in enumerate(names)
      ]
    )
    self._fields = _fields(config)
    self._outlines = shape_bitmaps.outlines()
    self._compiled = tf.function(
      self._render,
      input_signature=[tf.TensorSpec([None], tf.int64)],
      autograph=False,
    )

  def _bounds(self) -> dict[str, tuple[float, float]]:
    """The least and the most of each setting."""
    config = self._config
    return {
      'size': (16, 4096),
      'thing_classes': (1, len(shape_bitmaps.THINGS)),
      'stuff_classes': (1, len(shape_bitmaps.STUFF)),
      'stuff_regions': (1, config.stuff_classes),
      'max_objects': (1, 200),
      'min_objects': (0, config.max_objects),
      'min_radius': (0.02, config.max_radius),
      'max_radius': (0.02, 0.5),
      'texture': (0.0, 1.0),
      'noise': (0.0, 1.0),
      'train_examples': (1, math.inf),
      'eval_examples': (1, math.inf),
    }

  def load(
    self, indices: tf.Tensor, past_frames: Sequence[int] = ()
  ) -> dict[str, Any]:
    """Renders a batch of scenes; see `data.dataset`."""
    del past_frames
    # One graph for batches of any size: others round the last bit otherwise.
    return self._compiled(indices)

  def read(
    self, loaded: dict[str, Any], past_frames: Sequence[int] | None = None
  ) -> dict[str, Any]:
    """What was loaded, which is all."""
    del past_frames
    return loaded

  def lazy_example(self, read: dict[str, Any]) -> dataset.DecodedExample:
    """A scene of a batch."""
    return dataset.DecodedExample(**read)

  def scenes(self, indices: tf.Tensor) -> dict[str, tf.Tensor]:
    """Renders scenes.

    Args:
      indices: int64 `[B]`, each below `num_examples`.

    Returns:
      'image': uint8 `[B, S, S, 3]`; 'label_map': int32 `[B, S, S, 2]`, class
      and number by area, largest first; 'image_id': int64 `[B]`.
    """
    loaded = self._compiled(indices)
    return {
      'image': loaded['image'],
      'label_map': loaded['label_maps'][0],
      'image_id': indices,
    }

  def example(self, index: tf.Tensor) -> dict[str, tf.Tensor]:
    """One scene: `scenes` without the leading axis."""
    batch = self.scenes(tf.reshape(tf.cast(index, tf.int64), [1]))
    return {name: value[0] for name, value in batch.items()}

  def image(self, image_id: int) -> np.ndarray:
    """The image, uint8 `[S, S, 3]`."""
    return self.example(image_id)['image'].numpy()

  def ground_truth(self, image_id: int) -> maps.PanopticMap:
    """The segments of a scene; their ids are the label map's numbers."""
    label_map = self.example(image_id)['label_map'].numpy()
    return decode.from_label_map(label_map, self.classes)

  def file_name(self, image_id: int) -> str:
    """The name of the image in result files."""
    return f'{image_id:012d}.png'

  def result_id(self, image_id: int) -> int:
    """The id of the image in result files."""
    return image_id

  def _render(self, indices: tf.Tensor) -> dict[str, Any]:
    """What `load` returns."""
    size, regions = self._config.size, self._config.stuff_regions
    draws = self._draw(indices)
    ground, stuff = self._ground(draws)  # Segments 1..regions.
    top, things = self._objects(draws)  # Later segments, 0 for the ground.
    segments = tf.where(top > 0, top + regions, ground)
    classes = tf.concat([tf.zeros_like(stuff[:, :1]), stuff, things], axis=1)

    image = self._image(segments, classes, draws, indices)

    areas, ranks = instance_ids.rank_by_area(segments, classes.shape[1])
    seen = areas >= MIN_VISIBLE_PIXELS
    table = tf.stack([classes, ranks], axis=-1) * tf.cast(
      seen[..., tf.newaxis], tf.int32
    )
    label_map = tf.gather(table, segments, batch_dims=1)
    label_map = tf.ensure_shape(label_map, [None, size, size, 2])
    return {
      'image': image,
      'label_maps': {0: label_map},
      'frame': tf.zeros_like(indices),
    }

  def _draw(self, indices):
    """Uniform draws by name, float32 `[B, ...]`."""
    sizes = [math.prod(shape) for shape in self._fields.values()]
    uniform = self._each(indices, tf.random.stateless_uniform, [sum(sizes)])
    return {
      name: tf.reshape(part, (-1, *shape))
      for (name, shape), part in zip(
        self._fields.items(), tf.split(uniform, sizes, axis=1), strict=True
      )
    }

  def _each(self, indices, draw, shape):
    """Draws `shape` for each index: float32 `[B, *shape]`."""

    def draw_one(index):
      seed = tf.random.experimental.stateless_fold_in(
        tf.constant(self._seed, tf.int64), index
      )
      return draw(shape, seed)

    signature = tf.TensorSpec(shape, tf.float32)
    return tf.map_fn(draw_one, indices, fn_output_signature=signature)

  def _image(self, segments, classes, draws, indices):
    """The image of segments, with noise by index: uint8 `[B, S, S, 3]`."""
    shape = [*segments.shape[1:], 3]
    noise = self._each(indices, tf.random.stateless_normal, shape)
    image = shape_painting.paint(segments, classes, draws, self._config)
    image += self._config.noise * noise
    return tf.cast(tf.clip_by_value(image, 0.0, 1.0) * 255 + 0.5, tf.uint8)

  def _ground(self, draws):
    """Region at each pixel, int32 `[B, S, S]`, and their classes `[B, R]`."""
    config = self._config
    x, y = shape_painting.grid(config.size)
    count = 1 + tf.cast(draws['regions'] * config.stuff_regions, tf.int32)
    region = tf.ones([tf.shape(count)[0], config.size, config.size], tf.int32)
    for k in range(config.stuff_regions - 1):
      angle, offset, height, pace, phase = tf.unstack(
        draws['border'][:, k, :, tf.newaxis, tf.newaxis], axis=1
      )
      cos, sin = tf.cos(2 * math.pi * angle), tf.sin(2 * math.pi * angle)
      wave = (0.05 + 0.15 * height) * tf.sin(
        (2 + 5 * pace) * (y * cos - x * sin) + 2 * math.pi * phase
      )
      beyond = x * cos + y * sin + wave > offset - 0.5
      exists = count[:, tf.newaxis, tf.newaxis] > k + 1
      region = tf.where(beyond & exists, k + 2, region)
    # A class of stuff has one segment, so the regions' classes differ.
    classes = tf.argsort(draws['stuff'])[:, : config.stuff_regions]
    return region, classes + 1 + config.thing_classes

  def _objects(self, draws):
    """Uppermost object at each pixel, 1.. or 0, and their classes `[B, O]`."""
    config = self._config
    kinds, exists, radius, center = self._things(draws)
    cover = self._cover(kinds, radius, center, draws['turn'])
    areas, _ = instance_ids.rank_by_area(
      uppermost(cover, exists), config.max_objects + 1
    )
    areas = tf.cast(areas[:, 1:], tf.float32)
    shares = tf.gather(self._outlines.mean((1, 2)).astype(np.float32), kinds)
    whole = shares * (radius * config.size) ** 2
    # Leaving one out can only uncover others, so a single pass is enough.
    exists &= areas >= tf.maximum(
      MIN_VISIBLE_SHARE * whole, float(MIN_VISIBLE_PIXELS)
    )
    return uppermost(cover, exists), kinds + 1

  def _things(self, draws):
    """Class, size and place of the objects, in order of depth.

    Returns:
      Kinds int32 `[B, O]` from 0; whether an object exists, bool `[B, O]`;
      radius float32 `[B, O]` and centre (x, y) `[B, O, 2]`, in the
      coordinates of `shape_painting.grid`.
    """
    config = self._config
    number = tf.range(1, config.max_objects + 1)
    span = config.max_objects - config.min_objects + 1
    count = config.min_objects + tf.cast(draws['objects'] * span, tf.int32)
    kinds = tf.cast(draws['thing'] * config.thing_classes, tf.int32)
    step = config.max_radius - config.min_radius
    radius = 2 * (config.min_radius + step * draws['radius'])  # Of -1..1.
    reach = (1 - 0.5 * radius)[..., tf.newaxis]  # At most half of one outside.
    center = reach * (2 * draws['center'] - 1)
    return kinds, number <= count[:, tf.newaxis], radius, center

  def _cover(self, kinds, radius, center, turn):
    """Where each object would show, alone: int32 `[B, O, S, S]`, 0 or 1."""
    x, y = shape_painting.grid(self._config.size)
    dx = x - center[..., 0, tf.newaxis, tf.newaxis]
    dy = y - center[..., 1, tf.newaxis, tf.newaxis]
    angle = 2 * math.pi * turn
    cos = (tf.cos(angle) / radius)[..., tf.newaxis, tf.newaxis]
    sin = (tf.sin(angle) / radius)[..., tf.newaxis, tf.newaxis]
    column = _cell(dx * cos + dy * sin)
    row = _cell(dy * cos - dx * sin)
    first = (kinds * shape_bitmaps.SIDE**2)[..., tf.newaxis, tf.newaxis]
    return tf.gather(
      self._outlines.ravel(), first + row * shape_bitmaps.SIDE + column
    )


def _fields(config: base.Shapes) -> dict[str, tuple]:
  """Names and shapes of the uniform draws that make a scene."""
  objects, regions = config.max_objects, config.stuff_regions
  segments = objects + regions
  return {
    'regions': (),
    'objects': (),
    'stuff': (config.stuff_classes,),
    'border': (regions - 1, 5),
    'thing': (objects,),
    'center': (objects, 2),
    'radius': (objects,),
    'turn': (objects,),
    'hue': (segments,),
    'first_hue': (1,),
    'saturation': (segments,),
    'value': (segments,),
    'pattern': (segments, 4),
    'object_pattern': (objects,),
    'object_strength': (objects,),
    'light': (2,),
  }


def _cell(position: tf.Tensor) -> tf.Tensor:
  """Index in an outline's bitmap; its border is empty, as all beyond is."""
  position = tf.clip_by_value(position, -1.0, 0.999)
  return tf.cast((position + 1) * (shape_bitmaps.SIDE / 2), tf.int32)


def uppermost(cover: tf.Tensor, exists: tf.Tensor) -> tf.Tensor:
  """The last object over each pixel, 1.. or 0: int32 `[B, S, S]`."""
  number = tf.range(1, cover.shape[1] + 1)
  layer = tf.where(exists, number, 0)[..., tf.newaxis, tf.newaxis]
  return tf.reduce_max(cover * layer, axis=1)


SPEC = spec.DatasetSpec(
  name='shapes',
  result_writer=spec.coco_results,
  open=lambda config, split: Shapes(config.shapes, split),
)
