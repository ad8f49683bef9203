"""From a picture of any size to the network's input, and back.

Training: scale jitter, random crop, flip, colour jitter, padding; evaluation:
resizing and padding. Everything random comes from an explicit seed. Labels are
looked up, never interpolated: the place of each mask pixel is traced back
through padding, flip, crop and resizing to one pixel of the original.
"""

from typing import NamedTuple, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf

from configs import base
from data import color_jitter

IMAGE_PADDING = 0.3
# Pixels. The chroma of a JPEG has half the resolution, so that what is decoded
# next to a border lacks a neighbour.
_WINDOW_MARGIN = 4


class Geometry(NamedTuple):
  """Where the picture lies in the network's input, for image and labels alike.

  A clip has one for all its frames and past masks. All but `flip` are int32
  `[2]`, rows and columns.

  Attributes:
    original: Size of the picture.
    resized: Size after resizing.
    offset: Of the crop in the resized picture.
    crop: Size of the crop; the rest of the input is padding.
    flip: Whether the crop is mirrored: bool scalar.
  """

  original: tf.Tensor
  resized: tf.Tensor
  offset: tf.Tensor
  crop: tf.Tensor
  flip: tf.Tensor


def train_geometry(
  original: tf.Tensor,
  seed: tf.Tensor,
  image_size: Sequence[int],
  augmentation: base.Augmentation,
) -> Geometry:
  """Draws scale, crop and flip.

  Args:
    original: int32 `[2]`, size of the picture.
    seed: int32 or int64 `[2]`.
    image_size: (H, W).
    augmentation: What to do, and how much of it.
  """
  scale_at, crop_at, flip_at = tf.unstack(
    tf.random.stateless_uniform([3], seed)
  )
  low, high = augmentation.scale_jitter
  resized = _fit(original, image_size, low + (high - low) * scale_at)
  crop = tf.minimum(resized, image_size)
  # One uniform draw serves both axes.
  room = tf.cast(resized - crop + 1, tf.float32)
  offset = tf.minimum(tf.cast(crop_at * room, tf.int32), resized - crop)
  flip = tf.logical_and(augmentation.flip, flip_at < 0.5)
  return Geometry(original, resized, offset, crop, flip)


def eval_geometry(original: tf.Tensor, image_size: Sequence[int]) -> Geometry:
  """The largest that fits, whole, at the top left."""
  resized = tf.minimum(_fit(original, image_size, 1.0), image_size)
  zero = tf.zeros([2], tf.int32)
  return Geometry(original, resized, zero, resized, tf.constant(False))


def source_window(geometry: Geometry) -> tf.Tensor:
  """The part of the picture that its crop is computed from.

  Returns:
    int32 `[4]`: first row, first column, rows, columns. A few pixels are to
    spare, since decoders may err next to the border of what they decode.
  """
  shrink = tf.cast(geometry.original / geometry.resized, tf.float32)
  offset, crop = (
    tf.cast(size, tf.float32) for size in (geometry.offset, geometry.crop)
  )
  reach = tf.maximum(shrink, 1.0) + _WINDOW_MARGIN  # Of the triangle kernel.
  first = tf.floor((offset + 0.5) * shrink - 0.5 - reach)
  last = tf.math.ceil((offset + crop - 0.5) * shrink - 0.5 + reach)
  first = tf.maximum(tf.cast(first, tf.int32), 0)
  last = tf.minimum(tf.cast(last, tf.int32), geometry.original - 1)
  return tf.concat([first, last - first + 1], axis=0)


def place_image(
  part: tf.Tensor,
  window: tf.Tensor,
  geometry: Geometry,
  image_size: Sequence[int],
  color_seed: Optional[tf.Tensor] = None,
  color_strength: float = 0.0,
) -> tf.Tensor:
  """Resizes, crops, flips, distorts the colours and pads.

  Args:
    part: uint8 `[rows, columns, 3]`, the picture's pixels in the window.
    window: int32 `[4]`, as `source_window` gives it, or larger.
    geometry: Where the picture lies.
    image_size: (H, W).
    color_seed: int32 or int64 `[2]`, with a `color_strength` above 0.
    color_strength: Of `color_jitter.draw`; 0: the colours stay.

  Returns:
    float32 `[H, W, 3]` in [0, 1].
  """
  factors = tf.cast(geometry.resized / geometry.original, tf.float32)
  first = tf.cast(window[:2], tf.float32)
  place = first * factors - tf.cast(geometry.offset, tf.float32)
  # A crop to be mirrored goes to the right end, which is then the left one.
  room = tf.cast([0, image_size[1] - geometry.crop[1]], tf.float32)
  image = tf.raw_ops.ScaleAndTranslate(
    images=part[tf.newaxis],
    size=image_size,
    scale=factors,
    translation=place + tf.where(geometry.flip, room, 0.0),
    kernel_type='triangle',  # Bilinear.
    antialias=True,
  )[0]
  return _finish(image, geometry, color_seed, color_strength)


def place_labels(
  pixels: tf.Tensor, geometry: Geometry, image_size, mask_size
) -> Tuple[tf.Tensor, tf.Tensor]:
  """Looks the labels up at each pixel of the mask; nothing is interpolated.

  Args:
    pixels: integers `[h0, w0, c]`, of the whole picture.
    geometry: Where the picture lies.
    image_size: (H, W).
    mask_size: (h, w).

  Returns:
    `[h, w, c]` of the same type, and whether each pixel is picture, not
    padding: bool `[h, w]`. What stands in the padding means nothing.
  """
  rows, columns = (
    _to_original(
      _trace(mask_size[i], image_size[i], geometry.crop[i], flip),
      geometry.offset[i],
      geometry.resized[i],
      geometry.original[i],
    )
    for i, flip in ((0, False), (1, geometry.flip))
  )
  pixels = tf.gather(pixels, tf.maximum(rows, 0))
  pixels = tf.gather(pixels, tf.maximum(columns, 0), axis=1)
  return pixels, (rows >= 0)[:, tf.newaxis] & (columns >= 0)


def train_transform(
  image: tf.Tensor,
  label_map: tf.Tensor,
  seed: tf.Tensor,
  image_size: Sequence[int],
  mask_size: Sequence[int],
  augmentation: base.Augmentation,
) -> Tuple[tf.Tensor, tf.Tensor]:
  """Augments one example that is decoded already.

  Args:
    image: uint8 `[h0, w0, 3]`.
    label_map: int32 `[h0, w0, 2]`.
    seed: int32 or int64 `[2]`.
    image_size: (H, W).
    mask_size: (h, w).
    augmentation: What to do, and how much of it.

  Returns:
    image: float32 `[H, W, 3]` in [0, 1].
    label_map: int32 `[h, w, 2]`.
  """
  original = tf.shape(image)[:2]
  place_seed, color_seed = split_seed(seed)
  geometry = train_geometry(original, place_seed, image_size, augmentation)
  strength = augmentation.color_jitter
  same = augmentation.scale_jitter == (1, 1)
  if same and image.shape[:2] == list(image_size):
    image = _finish(tf.cast(image, tf.float32), geometry, color_seed, strength)
  else:
    window = tf.concat([[0, 0], original], axis=0)
    image = place_image(
      image, window, geometry, image_size, color_seed, strength
    )
  label_map, inside = place_labels(label_map, geometry, image_size, mask_size)
  return image, void_outside(label_map, inside)


def split_seed(seed: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
  """The seeds of an example's geometry and of its colours."""
  place_seed, color_seed = tf.unstack(tf.random.split(seed, 2))
  return place_seed, color_seed


def void_outside(label_map: tf.Tensor, inside: tf.Tensor) -> tf.Tensor:
  """`[..., h, w, 2]`, 0 where `inside`, bool `[h, w]`, is False."""
  return label_map * tf.cast(inside, tf.int32)[..., tf.newaxis]


def eval_transform(
  image: tf.Tensor, image_size: Sequence[int]
) -> Tuple[tf.Tensor, tf.Tensor]:
  """Resizes a decoded picture into the target, keeping its aspect, and pads.

  Args:
    image: uint8 `[h0, w0, 3]`.
    image_size: (H, W).

  Returns:
    image: float32 `[H, W, 3]` in [0, 1].
    unpadded_size: int32 `[2]`, rows and columns of it that are picture.
  """
  if image.shape[:2] == list(image_size):
    image = tf.image.convert_image_dtype(image, tf.float32)
    return image, tf.constant(image_size)
  original = tf.shape(image)[:2]
  geometry = eval_geometry(original, image_size)
  window = tf.concat([[0, 0], original], axis=0)
  return place_image(image, window, geometry, image_size), geometry.crop


def to_original_size(
  label_map: np.ndarray,
  image_size: Sequence[int],
  unpadded_size: Sequence[int],
  original_size: Sequence[int],
) -> np.ndarray:
  """Undoes `eval_transform` on a predicted map: crop and nearest resize.

  Args:
    label_map: `[h, w, ...]`, a map of the whole input at mask size.
    image_size: (H, W) of the input.
    unpadded_size: Rows and columns of the input that are picture.
    original_size: (h0, w0).

  Returns:
    `[h0, w0, ...]`, of the same dtype.
  """
  rows, columns = (
    (2 * np.arange(original, dtype=np.int64) + 1)
    * int(unpadded)
    * mask
    // (2 * int(original) * int(size))
    for original, unpadded, mask, size in zip(
      original_size, unpadded_size, label_map.shape, image_size, strict=False
    )
  )
  return label_map[rows[:, np.newaxis], columns]


def _fit(original, image_size, scale) -> tf.Tensor:
  """int32 `[2]`: the size at `scale` times the largest that fits."""
  size = tf.cast(original, tf.float32)
  ratio = scale * tf.reduce_min(tf.cast(image_size, tf.float32) / size)
  return tf.maximum(tf.cast(tf.round(size * ratio), tf.int32), 1)


def _finish(image, geometry, color_seed, color_strength) -> tf.Tensor:
  """What follows on the resizing: flip, colours, padding."""
  distortion = None
  if color_strength > 0:
    distortion = color_jitter.draw(color_seed, color_strength)
  return _fused(image, geometry.crop, geometry.flip, distortion)


# As single operations this takes as long as the resizing itself. In an input
# pipeline it runs on the host's CPU, whatever the accelerator.
@tf.function(jit_compile=True)
def _fused(image, crop, flip, distortion: Optional[color_jitter.Distortion]):
  image = tf.clip_by_value(image / 255, 0.0, 1.0)
  image = tf.where(flip, image[:, ::-1], image)
  if distortion is not None:
    image = color_jitter.distort(image, distortion, crop)
  rows, columns = (tf.range(image.shape[i]) < crop[i] for i in (0, 1))
  inside = rows[:, tf.newaxis, tf.newaxis] & columns[:, tf.newaxis]
  return tf.where(inside, image, IMAGE_PADDING)


def _trace(mask: int, target: int, crop, flip) -> tf.Tensor:
  """The place in the unflipped crop of each mask pixel; -1 in the padding."""
  place = (2 * tf.range(mask) + 1) * target // (2 * mask)
  unflipped = tf.where(flip, crop - 1 - place, place)
  return tf.where(place < crop, unflipped, -1)


def _to_original(place, offset, resized, original) -> tf.Tensor:
  """The original pixel of each place in the crop; stays -1 in the padding."""
  source = (2 * (place + offset) + 1) * original // (2 * resized)
  return tf.where(place < 0, -1, source)
