"""Tests of the transforms, by label maps that know where they come from."""

import numpy as np
import pytest
import tensorflow as tf

from configs import base
from data import dataset, geometry, transforms
from panoptic import decode


def _example(height, width):
  """Red grows with the column, green with the row; labels say the same."""
  y, x = np.meshgrid(np.arange(height), np.arange(width), indexing='ij')
  image = np.zeros([height, width, 3], np.uint8)
  image[..., 0] = x * 255 // max(width - 1, 1)
  image[..., 1] = y * 255 // max(height - 1, 1)
  label_map = np.stack([x + 1, y * width + x + 1], axis=-1).astype(np.int32)
  return tf.constant(image), tf.constant(label_map)


def _unit(image):
  """Bytes to float32 in [0, 1]."""
  assert image.dtype == tf.uint8
  return tf.cast(image, tf.float32) / 255


def _train_transform(
  image, label_map, seed, image_size, mask_size, **augmentation
):
  config = base.Experiment()
  config.model.image_size, config.model.mask_size = image_size, mask_size
  config.data.augmentation = base.Augmentation(**augmentation)
  example = dataset.DecodedExample(image, {0: label_map})
  image, label_maps = transforms.train_transform(
    example, (), tf.constant([0, seed], tf.int64), config
  )
  return _unit(image), label_maps[0]


def _transform(example, *arguments, **augmentation):
  image, label_map = _train_transform(*example, *arguments, **augmentation)
  return image.numpy(), label_map.numpy()


def _eval_transform(image, image_size):
  example = dataset.DecodedExample(image)
  image, size = transforms.eval_transform(example, image_size)
  return _unit(image), size


@pytest.mark.parametrize('size', [(40, 56), (56, 40), (64, 64), (150, 60)])
@pytest.mark.parametrize('jitter', [(1.0, 1.0), (0.4, 0.9), (1.0, 3.0)])
def test_image_and_labels_stay_aligned(size, jitter):
  height, width = size
  flips = set()
  for seed in range(8):
    image, label_map = _transform(
      _example(*size), seed, (64, 64), (32, 32), scale_jitter=jitter
    )
    image = image.reshape(32, 2, 32, 2, 3).mean((1, 3))  # At mask size.
    numbers = label_map[..., 1]
    inside = numbers > 0
    assert inside.any()
    # Labels are values of the original, never between them.
    row, column = np.divmod(numbers - 1, width)
    np.testing.assert_array_equal(label_map[..., 0][inside], column[inside] + 1)
    assert numbers.max() <= height * width
    # A mask pixel covers so much of the original; colours are 8 bits.
    slack = 1.5 * max(size) / 64 / jitter[0] + 1.5
    # At the border of the padding, half of a mask pixel may be padding.
    core = inside & np.roll(inside, -1, 0) & np.roll(inside, -1, 1)
    core[-1], core[:, -1] = inside[-1], inside[:, -1]
    if not core.any():
      continue
    error_x = image[..., 0] * (width - 1) - column
    error_y = image[..., 1] * (height - 1) - row
    assert abs(error_x[core]).max() < slack
    assert abs(error_y[core]).max() < slack
    flips.add(bool(column[0, 0] > column[0, inside[0]][-1]))
  assert flips == {False, True}


def test_padding_is_at_the_bottom_and_on_the_right():
  image, label_map = _transform(
    _example(16, 32), 0, (32, 32), (16, 16), flip=False
  )
  np.testing.assert_allclose(image[16:], 0.3, atol=0.5 / 255)
  assert (image[:16, :, 2] == 0).all()
  assert (label_map[:8, :, 1] > 0).all()
  assert not label_map[8:].any()


def test_hand_written_grid():
  grid = [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 0, 0], [3, 3, 0, 4]]
  label_map = tf.constant(np.stack([grid, grid], -1), tf.int32)
  image = tf.zeros([4, 4, 3], tf.uint8)
  _, half = _transform((image, label_map), 0, (4, 4), (2, 2), flip=False)
  np.testing.assert_array_equal(half[..., 0], [[1, 2], [3, 4]])
  _, large = _transform((image, label_map), 0, (8, 8), (8, 8), flip=False)
  np.testing.assert_array_equal(
    large[..., 1], np.kron(grid, np.ones([2, 2], np.int32))
  )


def _eager_and_mapped(function, *arguments):
  """What a function gives by itself, and inside of tf.data, as arrays."""
  dataset = tf.data.Dataset.from_tensors(arguments).map(function)
  eager, (mapped,) = function(*arguments), list(dataset)
  results = [
    [tensor.numpy() for tensor in tf.nest.flatten(found)]
    for found in (eager, mapped)
  ]
  for one, other in zip(*results, strict=True):
    np.testing.assert_array_equal(one, other)
  return results[0]


_GRID = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]


@pytest.mark.parametrize(
  ('offset', 'crop', 'flip', 'expected'),
  [
    ((0, 0), (3, 3), False, [[1, 2, 3], [5, 6, 7], [9, 10, 11]]),
    ((0, 1), (3, 3), False, [[2, 3, 4], [6, 7, 8], [10, 11, 12]]),
    ((0, 1), (3, 3), True, [[4, 3, 2], [8, 7, 6], [12, 11, 10]]),
    ((1, 2), (2, 2), False, [[7, 8, 0], [11, 12, 0], [0, 0, 0]]),
    ((1, 2), (2, 2), True, [[8, 7, 0], [12, 11, 0], [0, 0, 0]]),
  ],
)
def test_crop_and_flip_of_a_hand_written_grid(offset, crop, flip, expected):
  grid = tf.constant(_GRID, tf.int32)[..., tf.newaxis]

  def apply(grid, offset, crop, flip):
    size, target = tf.constant([3, 4]), (3, 3)
    crop_resize = geometry.CropResize(size, size, offset, crop, flip)
    image = tf.cast(tf.repeat(20 * grid, 3, axis=-1), tf.uint8)
    example = dataset.DecodedExample(image, {0: tf.repeat(grid, 2, axis=-1)})
    image = transforms.resize_and_crop(example, crop_resize, target)
    image = transforms.flip_distort_pad(image, crop, flip)
    return (
      transforms.apply_segmentation(example, crop_resize, target, target)[0],
      *geometry.label_pixels(crop_resize, target, target),
      image,
    )

  labels, rows, columns, image = _eager_and_mapped(
    apply, grid, tf.constant(offset), tf.constant(crop), tf.constant(flip)
  )
  expected = np.array(expected)
  inside = (rows >= 0)[:, None] & (columns >= 0)
  np.testing.assert_array_equal(inside, expected > 0)
  np.testing.assert_array_equal(labels[..., 0], expected)
  np.testing.assert_array_equal(image[~inside], np.float32(0.3))
  np.testing.assert_allclose(
    image * inside[..., None] * 255 / 20,
    np.repeat(expected[..., None], 3, -1),
    atol=1e-4,
  )


def test_eval_transform_of_a_hand_written_grid():
  image = np.repeat(np.array(_GRID, np.uint8)[..., None] * 20, 3, -1)
  found, size = _eager_and_mapped(
    lambda image: _eval_transform(image, (4, 4)), tf.constant(image)
  )
  np.testing.assert_array_equal(size, [3, 4])
  np.testing.assert_allclose(found[:3], image / 255, atol=1e-6)


def test_equal_sizes_give_the_image_itself():
  example = _example(32, 48)
  image, label_map = _transform(example, 0, (32, 48), (32, 48), flip=False)
  np.testing.assert_allclose(image * 255, example[0], atol=1e-4)
  np.testing.assert_array_equal(label_map, example[1])


def test_shortcut_for_equal_sizes_changes_nothing():
  """A shape that is not known beforehand takes the general way."""
  example = _example(32, 48)
  general = tf.function(
    lambda image, label_map: _train_transform(
      image, label_map, 3, (32, 48), (16, 24)
    ),
    input_signature=[
      tf.TensorSpec([None, None, 3], tf.uint8),
      tf.TensorSpec([None, None, 2], tf.int32),
    ],
  )(*example)
  short = _transform(example, 3, (32, 48), (16, 24))
  # A value half way between two bytes may go either way.
  np.testing.assert_allclose(general[0], short[0], atol=1.01 / 255)
  assert np.mean(general[0] != short[0]) < 0.01
  np.testing.assert_array_equal(general[1], short[1])


@pytest.mark.slow
def test_the_seed_decides():
  example = _example(40, 56)
  kwargs = {'scale_jitter': (0.5, 2.0), 'color_jitter': 1.0}
  first = _transform(example, 5, (32, 32), (32, 32), **kwargs)
  second = _transform(example, 5, (32, 32), (32, 32), **kwargs)
  other = _transform(example, 6, (32, 32), (32, 32), **kwargs)
  for a, b, c in zip(first, second, other, strict=True):
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


@pytest.mark.parametrize('size', [(30, 50), (50, 30), (97, 61), (64, 64)])
def test_eval_transform_is_an_antialiased_resize(size):
  image, _ = _example(*size)
  out, resized = _eval_transform(image, (64, 64))
  rows, columns = resized.numpy()
  assert max(rows, columns) == 64
  assert abs(rows / columns - size[0] / size[1]) < 0.03
  expected = tf.image.resize(image, (rows, columns), antialias=True) / 255
  np.testing.assert_allclose(out[:rows, :columns], expected, atol=0.51 / 255)
  padding = out.numpy().copy()
  padding[:rows, :columns] = 0.3
  np.testing.assert_allclose(padding, 0.3, atol=0.5 / 255)


@pytest.mark.parametrize('size', [(30, 50), (50, 30), (97, 61), (1, 64)])
def test_to_original_size_inverts(size):
  example = _example(*size)
  _, resized = _eval_transform(example[0], (128, 128))
  _, label_map = _transform(example, 0, (128, 128), (128, 128), flip=False)
  restored = decode.to_original_size(label_map, (128, 128), resized, size)
  assert restored.shape == (*size, 2)
  row, column = np.divmod(restored[..., 1] - 1, size[1])
  assert (restored[..., 1] > 0).all()  # No padding comes back.
  assert abs(row - np.arange(size[0])[:, np.newaxis]).max() <= 1
  assert abs(column - np.arange(size[1])).max() <= 1


@pytest.mark.parametrize('rate', [0.0, 0.3, 1.0])
def test_past_mask_dropout_takes_whole_masks(rate):
  masks = tf.reshape(tf.range(1, 1 + 200 * 2 * 12), [200, 2, 3, 2, 2])
  seeds = tf.stack([tf.zeros(200, tf.int64), tf.range(200, dtype=tf.int64)], 1)
  dropped = transforms.past_mask_dropout(masks, rate, seeds).numpy()
  dropped = np.moveaxis(dropped.reshape(200, 3, 2, 2, 2), 3, 1)
  given = (dropped != 0).all((2, 3, 4))
  np.testing.assert_array_equal(dropped[given], masks.numpy()[given])
  assert not dropped[~given].any()
  assert abs(1 - given.mean() - rate) < 0.08
  if 0 < rate < 1:  # Each mask is dropped by itself.
    assert (given[:, 0] != given[:, 1]).any()
