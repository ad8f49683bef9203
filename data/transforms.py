"""From a picture of any size to the network's input, and back.

Training: scale jitter, random crop, flip, colour jitter, padding; evaluation:
resizing and padding. Everything random comes from an explicit seed. Labels are
looked up, never interpolated: the place of each mask pixel is traced back
through padding, flip, crop and resizing to one pixel of the original.
"""

from typing import Sequence, Tuple

import numpy as np
import tensorflow as tf

from configs import base

IMAGE_PADDING = 0.3
GRAY_PROBABILITY = 0.2  # SimCLR.
JITTER_PROBABILITY = 0.8  # SimCLR.


def train_transform(
  image: tf.Tensor,
  label_map: tf.Tensor,
  seed: tf.Tensor,
  image_size: Sequence[int],
  mask_size: Sequence[int],
  augmentation: base.Augmentation,
) -> Tuple[tf.Tensor, tf.Tensor]:
  """Augments one example.

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
  geometry, color = tf.unstack(tf.random.split(seed, 2))
  scale_at, crop_at, flip_at = tf.unstack(
    tf.random.stateless_uniform([3], geometry)
  )
  flip = tf.logical_and(augmentation.flip, flip_at < 0.5)
  low, high = augmentation.scale_jitter
  if low == high == 1 and image.shape[:2] == list(image_size):
    image = tf.image.convert_image_dtype(image, tf.float32)
    original = resized = crop = tf.constant(image_size)
    offset = tf.zeros([2], tf.int32)
  else:
    original = tf.shape(image)[:2]
    scale = low + (high - low) * scale_at
    resized = _fit(original, image_size, scale)
    crop = tf.minimum(resized, image_size)
    # One uniform draw serves both axes.
    room = tf.cast(resized - crop + 1, tf.float32)
    offset = tf.minimum(tf.cast(crop_at * room, tf.int32), resized - crop)
    image = _resize_and_crop(image, resized, offset, crop)

  image = tf.cond(flip, lambda: image[:, ::-1], lambda: image)
  if augmentation.color_jitter > 0:
    image = color_jitter(image, color, augmentation.color_jitter)
  image = _pad(image, image_size)

  rows = _trace(mask_size[0], image_size[0], crop[0], False)
  columns = _trace(mask_size[1], image_size[1], crop[1], flip)
  rows = _to_original(rows, offset[0], resized[0], original[0])
  columns = _to_original(columns, offset[1], resized[1], original[1])
  return image, _look_up(label_map, rows, columns)


def eval_transform(
  image: tf.Tensor, image_size: Sequence[int]
) -> Tuple[tf.Tensor, tf.Tensor]:
  """Resizes a picture into the target, keeping its aspect, and pads it.

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
  resized = _fit(tf.shape(image)[:2], image_size, 1.0)
  resized = tf.minimum(resized, image_size)
  image = _resize_and_crop(image, resized, tf.zeros([2], tf.int32), resized)
  return _pad(image, image_size), resized


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


def color_jitter(
  image: tf.Tensor, seed: tf.Tensor, strength: float
) -> tf.Tensor:
  """SimCLR v2's colour distortion.

  Brightness, contrast and saturation are multiplied by up to 1 +- 0.8 of the
  strength and the hue turned by up to 0.2 of it, in random order, in 80 % of
  the pictures; 20 % are made gray.

  Args:
    image: float32 `[h, w, 3]` in [0, 1].
    seed: int32 or int64 `[2]`.
    strength: 1 is SimCLR's.

  Returns:
    float32 `[h, w, 3]` in [0, 1].
  """
  draw_seed, order_seed = tf.unstack(tf.random.split(seed, 2))
  draws = tf.random.stateless_uniform([6], draw_seed)
  low, high = max(0.0, 1 - 0.8 * strength), 1 + 0.8 * strength
  factors = low + (high - low) * draws[:3]
  turn = min(0.2 * strength, 0.5) * (2 * draws[3] - 1)
  steps = [
    lambda x: x * factors[0],
    lambda x: tf.image.adjust_contrast(x, factors[1]),
    lambda x: tf.image.adjust_saturation(x, factors[2]),
    lambda x: tf.image.adjust_hue(x, turn),
  ]

  def distort():
    x = image
    order = tf.random.experimental.stateless_shuffle(tf.range(4), order_seed)
    for i in range(4):
      # Each step is bound to the image as it is now.
      branches = [lambda step=step, x=x: step(x) for step in steps]
      x = tf.clip_by_value(tf.switch_case(order[i], branches), 0.0, 1.0)
    return x

  image = tf.cond(draws[4] < JITTER_PROBABILITY, distort, lambda: image)
  return tf.cond(
    draws[5] < GRAY_PROBABILITY,
    lambda: tf.repeat(tf.image.rgb_to_grayscale(image), 3, axis=-1),
    lambda: image,
  )


def _fit(original, image_size, scale) -> tf.Tensor:
  """int32 `[2]`: the size at `scale` times the largest that fits."""
  size = tf.cast(original, tf.float32)
  ratio = scale * tf.reduce_min(tf.cast(image_size, tf.float32) / size)
  return tf.maximum(tf.cast(tf.round(size * ratio), tf.int32), 1)


def _resize_and_crop(image, resized, offset, crop) -> tf.Tensor:
  """Antialiased bilinear resizing, of which only the crop is computed."""
  factors = tf.cast(resized / tf.shape(image)[:2], tf.float32)
  image = tf.raw_ops.ScaleAndTranslate(
    images=image[tf.newaxis],
    size=crop,
    scale=factors,
    translation=-tf.cast(offset, tf.float32),
    kernel_type='triangle',
    antialias=True,
  )[0]
  return tf.clip_by_value(image / 255, 0.0, 1.0)


def _pad(image, image_size) -> tf.Tensor:
  """Pads at the bottom and on the right to the target."""
  missing = tf.constant(image_size) - tf.shape(image)[:2]
  paddings = [[0, missing[0]], [0, missing[1]], [0, 0]]
  image = tf.pad(image, paddings, constant_values=IMAGE_PADDING)
  return tf.ensure_shape(image, [*image_size, 3])


def _trace(mask: int, target: int, crop, flip) -> tf.Tensor:
  """The place in the unflipped crop of each mask pixel; -1 in the padding."""
  place = (2 * tf.range(mask) + 1) * target // (2 * mask)
  unflipped = tf.where(flip, crop - 1 - place, place)
  return tf.where(place < crop, unflipped, -1)


def _to_original(place, offset, resized, original) -> tf.Tensor:
  """The original pixel of each place in the crop; stays -1 in the padding."""
  source = (2 * (place + offset) + 1) * original // (2 * resized)
  return tf.where(place < 0, -1, source)


def _look_up(label_map, rows, columns) -> tf.Tensor:
  """`label_map` at rows x columns, 0 where either is -1."""
  label_map = tf.gather(label_map, tf.maximum(rows, 0))
  label_map = tf.gather(label_map, tf.maximum(columns, 0), axis=1)
  inside = (rows >= 0)[:, tf.newaxis] & (columns >= 0)
  return label_map * tf.cast(inside, tf.int32)[..., tf.newaxis]
