"""Where an image lies in the network's input, and its labels in the mask."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from configs import base

# Pixels. The chroma of a JPEG has half the resolution, so that a pixel at the
# border of what is decoded lacks a neighbour.
_WINDOW_MARGIN = 4


class CropResize(NamedTuple):
  """How an image is resized, cropped and flipped, and its label maps with it.

  All but `flip` are int32 `[2]`, rows and columns.

  Attributes:
    original: Size of the image.
    resized: Size after resizing.
    offset: Of the crop in the resized image.
    crop: Size of the crop; the rest of the input is padding.
    flip: Whether the crop is mirrored: bool scalar.
  """

  original: tf.Tensor
  resized: tf.Tensor
  offset: tf.Tensor
  crop: tf.Tensor
  flip: tf.Tensor


def random_crop_resize(
  original: tf.Tensor,
  seed: tf.Tensor,
  image_size: Sequence[int],
  augmentation: base.Augmentation,
) -> CropResize:
  """Draws scale, crop and flip.

  Args:
    original: int32 `[2]`, size of the image.
    seed: int32 or int64 `[2]`.
    image_size: (H, W).
    augmentation: The range of the scale, and whether to flip.
  """
  scale_draw, crop_draw, flip_draw = tf.unstack(
    tf.random.stateless_uniform([3], seed)
  )
  low, high = augmentation.scale_jitter
  resized = _scaled(original, image_size, low + (high - low) * scale_draw)
  crop = tf.minimum(resized, image_size)
  # One uniform draw serves both axes.
  room = tf.cast(resized - crop + 1, tf.float32)
  offset = tf.minimum(tf.cast(crop_draw * room, tf.int32), resized - crop)
  flip = tf.logical_and(augmentation.flip, flip_draw < 0.5)
  return CropResize(original, resized, offset, crop, flip)


def fit(original: tf.Tensor, image_size: Sequence[int]) -> CropResize:
  """The largest size that fits; all of the image, at the top left."""
  resized = tf.minimum(_scaled(original, image_size, 1.0), image_size)
  zero = tf.zeros([2], tf.int32)
  return CropResize(original, resized, zero, resized, tf.constant(False))


def source_window(crop_resize: CropResize) -> tf.Tensor:
  """The part of the image that its crop is computed from.

  Returns:
    int32 `[4]`: first row, first column, rows, columns. A few pixels are to
    spare, since decoders may err next to the border of what they decode.
  """
  shrink = tf.cast(crop_resize.original / crop_resize.resized, tf.float32)
  offset, crop = (
    tf.cast(size, tf.float32) for size in (crop_resize.offset, crop_resize.crop)
  )
  reach = tf.maximum(shrink, 1.0) + _WINDOW_MARGIN  # Of the triangle kernel.
  first = tf.floor((offset + 0.5) * shrink - 0.5 - reach)
  last = tf.math.ceil((offset + crop - 0.5) * shrink - 0.5 + reach)
  first = tf.maximum(tf.cast(first, tf.int32), 0)
  last = tf.minimum(tf.cast(last, tf.int32), crop_resize.original - 1)
  return tf.concat([first, last - first + 1], axis=0)


def label_pixels(
  crop_resize: CropResize, image_size: Sequence[int], mask_size: Sequence[int]
) -> list[tf.Tensor]:
  """Traces mask pixels back through padding, flip, crop and resizing.

  Args:
    crop_resize: Where the image lies in the input.
    image_size: (H, W).
    mask_size: (h, w).

  Returns:
    int32 `[h]` and `[w]`: the row of the original under each row of the mask,
    and the column under each column; -1 in the padding.
  """
  found = []
  for axis, (target, mask) in enumerate(
    zip(image_size, mask_size, strict=True)
  ):
    original, resized, offset, crop = (part[axis] for part in crop_resize[:4])
    position = (2 * tf.range(mask) + 1) * target // (2 * mask)
    in_crop = position
    if axis == 1:
      in_crop = tf.where(crop_resize.flip, crop - 1 - position, position)
    pixel = (2 * (in_crop + offset) + 1) * original // (2 * resized)
    found.append(tf.where(position < crop, pixel, -1))
  return found


def _scaled(original, image_size, scale) -> tf.Tensor:
  """int32 `[2]`: the size at `scale` times the largest that fits."""
  size = tf.cast(original, tf.float32)
  ratio = scale * tf.reduce_min(tf.cast(image_size, tf.float32) / size)
  return tf.maximum(tf.cast(tf.round(size * ratio), tf.int32), 1)
