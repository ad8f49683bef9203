"""Properties of the transforms that hold for images of any size."""

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from configs import base
from data import dataset, geometry, transforms
from panoptic import decode

_sides = st.integers(1, 90)
_targets = st.sampled_from([(32, 32), (24, 48), (40, 16)])
_jitters = st.sampled_from([(1.0, 1.0), (0.5, 1.0), (0.7, 2.0), (1.0, 3.0)])
_settings = hypothesis.settings(max_examples=25, deadline=None)


def _ramps(height, width):
  """Red and green grow with column and row; labels number the pixels."""
  y, x = np.meshgrid(np.arange(height), np.arange(width), indexing='ij')
  image = np.zeros([height, width, 3], np.float32)
  image[..., 0], image[..., 1] = x, y
  numbers = (y * width + x + 1).astype(np.int32)
  return image, np.stack([numbers, numbers], -1)


def _draw(size, seed, target, jitter):
  return geometry.random_crop_resize(
    tf.constant(size),
    tf.constant([0, seed], tf.int64),
    target,
    base.Augmentation(scale_jitter=jitter),
  )


def _resized(example, crop_resize, target):
  image = transforms.resize_and_crop(example, crop_resize, target, False)
  return transforms.flip_distort_pad(image, crop_resize.crop, crop_resize.flip)


def _look_up(label_map, crop_resize, target, mask_size):
  """Numbers in the mask, and where the mask is image, not padding."""
  example = dataset.DecodedExample(label_map, {0: label_map})
  (found,) = transforms.apply_segmentation(
    example, crop_resize, target, mask_size
  ).numpy()
  rows, columns = geometry.label_pixels(crop_resize, target, mask_size)
  inside = (rows.numpy() >= 0)[:, np.newaxis] & (columns.numpy() >= 0)
  np.testing.assert_array_equal(found[..., 0] > 0, inside)
  return found, inside


class _Window(dataset.DecodedExample):
  """An image of which the window alone is decoded."""

  def image(self, window):
    first, size = tf.unstack(tf.reshape(window, [2, 2]))
    return tf.slice(
      self._image, tf.concat([first, [0]], 0), tf.concat([size, [3]], 0)
    ), window


@_settings
@hypothesis.given(_sides, _sides, _targets, _jitters, st.integers(0, 10**6))
def test_labels_are_pixels_of_the_original_under_the_image(
  height, width, target, jitter, seed
):
  """Each label is one pixel's, and its colour is the image's at that place."""
  image, label_map = _ramps(height, width)
  crop_resize = _draw((height, width), seed, target, jitter)
  example = dataset.DecodedExample(image)
  # The ramps are below 255, so nothing is clipped.
  placed = 255 * _resized(example, crop_resize, target).numpy()
  found, inside = _look_up(label_map, crop_resize, target, target)
  assert inside.any()
  row, column = np.divmod(found[..., 0] - 1, width)
  assert ((row >= 0) & (row < height))[inside].all()
  scale = crop_resize.resized.numpy() / (height, width)
  # Half a pixel of the original or of the input, and what the kernel blurs
  # at the borders.
  slack = 0.51 + 0.51 / scale + 1 / np.minimum(scale, 1)
  error = abs(placed[..., :2] - np.stack([column, row], -1))[inside]
  assert (error <= slack[::-1] + 1e-2).all()


@_settings
@hypothesis.given(_sides, _sides, _targets, _jitters, st.integers(0, 10**6))
def test_the_window_is_all_that_the_crop_needs(
  height, width, target, jitter, seed
):
  random = np.random.default_rng(seed)
  image = random.integers(0, 256, [height, width, 3]).astype(np.uint8)
  crop_resize = _draw((height, width), seed, target, jitter)
  whole, part = dataset.DecodedExample(image), _Window(image)
  expected = _resized(whole, crop_resize, target)
  found = _resized(part, crop_resize, target)
  # An eighth of a level of 8 bits, for rounding where the kernel lies.
  np.testing.assert_allclose(found, expected, atol=5e-4)


@_settings
@hypothesis.given(_sides, _sides, _targets, st.integers(1, 3))
def test_evaluation_inverts_to_within_a_pixel(height, width, target, divisor):
  """A prediction goes back to the pixels that it is a prediction of."""
  _, label_map = _ramps(height, width)
  mask_size = tuple(side // divisor for side in target)
  crop_resize = geometry.fit(tf.constant([height, width]), target)
  found, _ = _look_up(label_map, crop_resize, target, mask_size)
  restored = decode.to_original_size(
    found, target, crop_resize.crop.numpy(), (height, width)
  )[..., 0]
  row, column = np.divmod(restored - 1, width)
  # A pixel of the original, or of the mask where that is coarser.
  coarse = np.array([height, width]) / crop_resize.resized.numpy() * divisor
  kept = restored > 0
  # Padding reaches in where a mask pixel is half image, half padding.
  rows, columns = np.maximum([height, width] - np.ceil(coarse), 0).astype(int)
  assert kept[:rows, :columns].all()
  y, x = np.meshgrid(np.arange(height), np.arange(width), indexing='ij')
  assert abs(row - y)[kept].max(initial=0) <= max(1, coarse[0])
  assert abs(column - x)[kept].max(initial=0) <= max(1, coarse[1])


@pytest.mark.slow
@_settings
@hypothesis.given(_sides, _sides, _targets, _jitters, st.integers(0, 10**6))
def test_eager_and_in_a_pipeline_are_the_same(
  height, width, target, jitter, seed
):
  random = np.random.default_rng(seed)
  image = random.integers(0, 256, [height, width, 3]).astype(np.uint8)
  _, label_map = _ramps(height, width)
  config = base.Experiment()
  config.model.image_size = target
  config.model.mask_size = (target[0] // 2, target[1] // 2)
  config.data.augmentation = base.Augmentation(scale_jitter=jitter)

  def transform(image, label_map):
    example = dataset.DecodedExample(image, {0: label_map})
    seeds = tf.constant([0, seed], tf.int64)
    return transforms.train_transform(example, (), seeds, config)

  eager = transform(image, label_map)
  (mapped,) = tf.data.Dataset.from_tensors((image, label_map)).map(transform)
  for a, b in zip(eager, mapped, strict=True):
    difference = np.abs(np.int64(a) - np.int64(b))
    # A value half way between two bytes may go either way.
    assert difference.max() <= 1 and np.mean(difference) < 0.01
