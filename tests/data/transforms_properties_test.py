"""Properties of the transforms that hold for pictures of any size."""

import hypothesis
import numpy as np
import tensorflow as tf
from hypothesis import strategies as st

from configs import base
from data import transforms

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


def _geometry(size, seed, target, jitter):
  return transforms.train_geometry(
    tf.constant(size),
    tf.constant([0, seed], tf.int64),
    target,
    base.Augmentation(scale_jitter=jitter),
  )


@_settings
@hypothesis.given(_sides, _sides, _targets, _jitters, st.integers(0, 10**6))
def test_geometry_stays_inside(height, width, target, jitter, seed):
  geometry = _geometry((height, width), seed, target, jitter)
  offset, crop, resized = (
    value.numpy()
    for value in (geometry.offset, geometry.crop, geometry.resized)
  )
  assert (offset >= 0).all() and (crop >= 1).all()
  assert (offset + crop <= resized).all()
  assert (crop <= target).all()
  y, x, rows, columns = transforms.source_window(geometry).numpy()
  assert y >= 0 and x >= 0 and rows >= 1 and columns >= 1
  assert y + rows <= height and x + columns <= width


@_settings
@hypothesis.given(_sides, _sides, _targets, _jitters, st.integers(0, 10**6))
def test_labels_are_pixels_of_the_picture_under_the_image(
  height, width, target, jitter, seed
):
  """Each label is one pixel's, and its colour is the image's at that place."""
  image, label_map = _ramps(height, width)
  geometry = _geometry((height, width), seed, target, jitter)
  window = tf.constant([0, 0, height, width])
  placed = 255 * transforms.place_image(image / 1, window, geometry, target)
  placed = placed.numpy()
  # The ramps are below 255, so nothing was clipped.
  found, inside = transforms.place_labels(label_map, geometry, target, target)
  found, inside = found.numpy()[..., 0], inside.numpy()
  assert inside.any()
  row, column = np.divmod(found - 1, width)
  assert ((row >= 0) & (row < height))[inside].all()
  scale = geometry.resized.numpy() / (height, width)
  # Half a pixel of the picture or of the input, and what the kernel blurs
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
  geometry = _geometry((height, width), seed, target, jitter)
  whole = tf.constant([0, 0, height, width])
  window = transforms.source_window(geometry)
  y, x, rows, columns = window.numpy()
  part = image[y : y + rows, x : x + columns]
  expected = transforms.place_image(image, whole, geometry, target)
  found = transforms.place_image(part, window, geometry, target)
  # An eighth of a level of 8 bits, for rounding where the kernel lies.
  np.testing.assert_allclose(found, expected, atol=5e-4)


@_settings
@hypothesis.given(_sides, _sides, _targets, st.integers(1, 3))
def test_evaluation_inverts_to_within_a_pixel(height, width, target, divisor):
  """A prediction goes back to the pixels that it is a prediction of."""
  _, label_map = _ramps(height, width)
  mask_size = tuple(side // divisor for side in target)
  geometry = transforms.eval_geometry(tf.constant([height, width]), target)
  found, inside = transforms.place_labels(
    label_map, geometry, target, mask_size
  )
  found = np.where(inside.numpy()[..., np.newaxis], found.numpy(), 0)
  restored = transforms.to_original_size(
    found, target, geometry.crop.numpy(), (height, width)
  )[..., 0]
  row, column = np.divmod(restored - 1, width)
  # A pixel of the picture, or of the mask where that is coarser.
  coarse = np.array([height, width]) / geometry.resized.numpy() * divisor
  kept = restored > 0
  # Padding reaches in where a mask pixel is half picture, half padding.
  rows, columns = np.maximum([height, width] - np.ceil(coarse), 0).astype(int)
  assert kept[:rows, :columns].all()
  y, x = np.meshgrid(np.arange(height), np.arange(width), indexing='ij')
  assert abs(row - y)[kept].max(initial=0) <= max(1, coarse[0])
  assert abs(column - x)[kept].max(initial=0) <= max(1, coarse[1])


@_settings
@hypothesis.given(_sides, _sides, _targets, _jitters, st.integers(0, 10**6))
def test_eager_and_in_a_pipeline_are_the_same(
  height, width, target, jitter, seed
):
  random = np.random.default_rng(seed)
  image = random.integers(0, 256, [height, width, 3]).astype(np.uint8)
  _, label_map = _ramps(height, width)
  arguments = (
    tf.constant([0, seed], tf.int64),
    target,
    (target[0] // 2, target[1] // 2),
    base.Augmentation(scale_jitter=jitter),
  )
  eager = transforms.train_transform(image, label_map, *arguments)
  dataset = tf.data.Dataset.from_tensors((image, label_map)).map(
    lambda *example: transforms.train_transform(*example, *arguments)
  )
  (mapped,) = dataset
  for a, b in zip(eager, mapped, strict=True):
    np.testing.assert_allclose(a, b, atol=1e-5)
