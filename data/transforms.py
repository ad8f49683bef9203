"""From an image of any size to the network's input.

`train_transform` and `eval_transform` list the transforms in their order; a
batch of training then gets its instance ids, and past masks are dropped, in
`pipeline.train_dataset`. Everything random comes from an explicit seed.

Labels are looked up, never interpolated: the position of each mask pixel is
traced back through padding, flip, crop and resizing to one pixel of the
original. `panoptic.decode` takes predictions back to the original size.
"""

import functools
from collections.abc import Sequence

import tensorflow as tf

from configs import base
from data import color_jitter, geometry
from data import dataset as dataset_lib

IMAGE_PADDING = 0.3


def train_transform(
  example: dataset_lib.LazyExample,
  past_frames: Sequence[int],
  seed: tf.Tensor,
  config: base.Experiment,
) -> tuple[tf.Tensor, tf.Tensor]:
  """Augments an example.

  Args:
    example: The image and its labels.
    past_frames: Offsets of the P past frames.
    seed: int32 or int64 `[2]`.
    config: The experiment.

  Returns:
    image: uint8 `[H, W, 3]`.
    label_maps: int32 `[P + 1, h, w, 2]`, of the past frames and of the example.
  """
  image_size, mask_size = config.model.image_size, config.model.mask_size
  augmentation = config.data.augmentation
  one_scale = augmentation.scale_jitter == (1, 1)
  seed, color_seed = tf.unstack(tf.random.split(seed, 2))
  # 1. Draw scale, crop and flip, once for the image and all its label maps.
  crop_resize = geometry.random_crop_resize(
    example.size, seed, image_size, augmentation
  )
  # 2. Decode the window of the crop, and resize it.
  image = resize_and_crop(example, crop_resize, image_size, one_scale)
  # 3. Flip, distort the colours, and pad.
  colors = color_jitter.draw(color_seed, augmentation.color_jitter)
  image = flip_distort_pad(image, crop_resize.crop, crop_resize.flip, colors)
  image = to_bytes(image)
  # 4. Look up the labels under the pixels of the mask.
  label_maps = apply_segmentation(
    example, crop_resize, image_size, mask_size, past_frames
  )
  return image, label_maps


def eval_transform(
  example: dataset_lib.LazyExample, image_size: Sequence[int]
) -> tuple[tf.Tensor, tf.Tensor]:
  """Resizes an image into the input, keeping its aspect, and pads.

  Args:
    example: The image.
    image_size: (H, W).

  Returns:
    image: uint8 `[H, W, 3]`.
    resized_size: int32 `[2]`, rows and columns of it that are image.
  """
  crop_resize = geometry.fit(example.size, image_size)
  image = resize_and_crop(example, crop_resize, image_size)
  image = flip_distort_pad(image, crop_resize.crop, crop_resize.flip)
  return to_bytes(image), crop_resize.resized


def resize_and_crop(
  example: dataset_lib.LazyExample,
  crop_resize: geometry.CropResize,
  image_size: Sequence[int],
  one_scale: bool = True,
) -> tf.Tensor:
  """Decodes the part of an image that its crop shows, and resizes it.

  Args:
    example: The image.
    crop_resize: Its size and the crop.
    image_size: (H, W).
    one_scale: Whether the scale is always that at which the image fits.

  Returns:
    float32 `[H, W, 3]` in [0, 255], the crop at the top left, or at the top
    right where it is to be flipped.
  """
  part, window = example.image(geometry.source_window(crop_resize))
  if one_scale and _is_known_to_be(example.size, image_size):
    return tf.cast(part, tf.float32)
  factors = tf.cast(crop_resize.resized / crop_resize.original, tf.float32)
  first = tf.cast(window[:2], tf.float32)
  shift = first * factors - tf.cast(crop_resize.offset, tf.float32)
  # At the right end, from which the flip brings it to the left one.
  room = tf.cast([0, image_size[1] - crop_resize.crop[1]], tf.float32)
  return tf.raw_ops.ScaleAndTranslate(
    images=part[tf.newaxis],
    size=image_size,
    scale=factors,
    translation=shift + tf.where(crop_resize.flip, room, 0.0),
    kernel_type='triangle',  # Bilinear.
    antialias=True,
  )[0]


# As single operations this takes as long as the resizing itself. In an input
# pipeline it runs on the host's CPU, whatever the accelerator.
@tf.function(jit_compile=True, autograph=False)
def flip_distort_pad(
  image: tf.Tensor,
  crop: tf.Tensor,
  flip: tf.Tensor,
  colors: color_jitter.Distortion | None = None,
) -> tf.Tensor:
  """Flips, distorts the colours and pads, in this order.

  Args:
    image: float32 `[H, W, 3]`, see `resize_and_crop`.
    crop: int32 `[2]`, rows and columns that are image.
    flip: bool scalar.
    colors: The distortion; None: the colours stay.

  Returns:
    float32 `[H, W, 3]` in [0, 1].
  """
  image = tf.clip_by_value(image / 255, 0.0, 1.0)
  image = tf.where(flip, image[:, ::-1], image)
  if colors is not None:
    image = color_jitter.distort(image, colors, crop)
  return pad(image, crop)


def to_bytes(image: tf.Tensor) -> tf.Tensor:
  """float32 in [0, 1] to uint8, which travels to devices in a quarter."""
  return tf.cast(tf.round(image * 255), tf.uint8)


def pad(image: tf.Tensor, crop: tf.Tensor) -> tf.Tensor:
  """float32 `[H, W, 3]`, `IMAGE_PADDING` beyond the rows and columns `crop`."""
  rows, columns = (tf.range(image.shape[i]) < crop[i] for i in (0, 1))
  inside = rows[:, tf.newaxis, tf.newaxis] & columns[:, tf.newaxis]
  return tf.where(inside, image, IMAGE_PADDING)


def apply_segmentation(
  example: dataset_lib.LazyExample,
  crop_resize: geometry.CropResize,
  image_size: Sequence[int],
  mask_size: Sequence[int],
  past_frames: Sequence[int] = (),
) -> tf.Tensor:
  """Looks labels up at each pixel of the mask; nothing is interpolated.

  Args:
    example: The labels.
    crop_resize: Where the image lies in the input.
    image_size: (H, W).
    mask_size: (h, w).
    past_frames: Offsets of the P past frames.

  Returns:
    int32 `[P + 1, h, w, 2]`, of the past frames and of the example: class and
    number, void in the padding and before the first frame of a video.
  """
  rows, columns = geometry.label_pixels(crop_resize, image_size, mask_size)
  inside = (rows >= 0)[:, tf.newaxis] & (columns >= 0)

  def look_up(offset):
    label_map = example.label_map(
      tf.maximum(rows, 0), tf.maximum(columns, 0), offset
    )
    label_map = tf.ensure_shape(label_map, [*mask_size, 2])
    return label_map * tf.cast(inside, tf.int32)[..., tf.newaxis]

  past = [
    tf.cond(
      example.frame + offset >= 0,
      functools.partial(look_up, offset),
      functools.partial(tf.zeros, [*mask_size, 2], tf.int32),
    )
    for offset in past_frames
  ]
  return tf.stack([*past, look_up(0)])


def past_mask_dropout(
  past_masks: tf.Tensor, rate: float, seeds: tf.Tensor
) -> tf.Tensor:
  """Makes past masks all void at random, and joins those of an example.

  Args:
    past_masks: int32 `[B, P, h, w, 2]`.
    rate: The probability of each.
    seeds: int64 `[B, 2]`.

  Returns:
    int32 `[B, h, w, 2 P]`.
  """
  count = past_masks.shape[1]
  draws = tf.map_fn(
    lambda seed: tf.random.stateless_uniform([count], seed),
    seeds,
    fn_output_signature=tf.TensorSpec([count], tf.float32),
  )
  kept = tf.cast(draws >= rate, tf.int32)
  past_masks *= kept[..., tf.newaxis, tf.newaxis, tf.newaxis]
  return tf.concat(tf.unstack(past_masks, axis=1), axis=-1)


def _is_known_to_be(size: tf.Tensor, expected: Sequence[int]) -> bool:
  """Whether a size is one already while the graph is made."""
  value = tf.get_static_value(size)
  return value is not None and tuple(value) == tuple(expected)
