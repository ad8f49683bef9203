"""Tests of the draws of scale, crop and flip."""

import hypothesis
import numpy as np
import tensorflow as tf
from hypothesis import strategies as st

from configs import base
from data import geometry

_sides = st.integers(1, 90)
_targets = st.sampled_from([(32, 32), (24, 48), (40, 16)])
_jitters = st.sampled_from([(1.0, 1.0), (0.5, 1.0), (0.7, 2.0), (1.0, 3.0)])


def test_draws_of_scale_crop_and_flip():
  size, target = (40, 56), (32, 32)
  augmentation = base.Augmentation(scale_jitter=(0.5, 3.0))
  draw = tf.function(
    lambda seed: geometry.random_crop_resize(
      tf.constant(size), seed, target, augmentation
    )
  )
  drawn = [draw(tf.constant([3, i], tf.int64)) for i in range(400)]
  _, resized, offset, crop, flip = (
    np.array([value.numpy() for value in values])
    for values in zip(*drawn, strict=True)
  )
  # At scale 1 the longer side fits; the shorter keeps the proportions.
  scale = resized[:, 1] / 32
  np.testing.assert_allclose(resized[:, 0] / (32 * 40 / 56), scale, rtol=0.06)
  np.testing.assert_allclose(
    np.quantile(scale, [0, 0.25, 0.5, 0.75, 1]),
    [0.5, 1.125, 1.75, 2.375, 3.0],
    atol=0.15,
  )
  np.testing.assert_array_equal(crop, np.minimum(resized, target))
  room = resized - crop
  assert (offset >= 0).all() and (offset <= room).all()
  wide = (room > 15).all(1)
  place = (offset[wide] + 0.5) / (room[wide] + 1)
  np.testing.assert_allclose(
    np.quantile(place, [0.02, 0.25, 0.5, 0.75, 0.98], axis=0),
    np.repeat([[0.02], [0.25], [0.5], [0.75], [0.98]], 2, axis=1),
    atol=0.1,
  )
  # One draw for both axes: they differ by rounding alone.
  assert abs(place[:, 0] - place[:, 1]).max() < 1 / 16
  assert 0.4 < flip.mean() < 0.6


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(_sides, _sides, _targets, _jitters, st.integers(0, 10**6))
def test_geometry_stays_inside(height, width, target, jitter, seed):
  crop_resize = geometry.random_crop_resize(
    tf.constant([height, width]),
    tf.constant([0, seed], tf.int64),
    target,
    base.Augmentation(scale_jitter=jitter),
  )
  offset, crop, resized = (
    value.numpy()
    for value in (crop_resize.offset, crop_resize.crop, crop_resize.resized)
  )
  assert (offset >= 0).all() and (crop >= 1).all()
  assert (offset + crop <= resized).all()
  assert (crop <= target).all()
  y, x, rows, columns = geometry.source_window(crop_resize).numpy()
  assert y >= 0 and x >= 0 and rows >= 1 and columns >= 1
  assert y + rows <= height and x + columns <= width
