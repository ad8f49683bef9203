import numpy as np
import pytest
import tensorflow as tf

from data import color_jitter


def _image(rows=16, columns=16):
  image = np.random.default_rng(0).random((rows, columns, 3), np.float32)
  # Where hues and saturations are not defined, and where channels are equal.
  image[0, 0], image[0, 1], image[0, 2] = 0, 1, 0.4
  image[0, 3], image[0, 4] = (0.7, 0.7, 0.1), (0.2, 0.9, 0.9)
  return image


@pytest.mark.parametrize('turn', [-0.5, -0.2, 0.0, 0.07, 0.2, 0.5])
def test_turn_hue_is_that_of_tf_image(turn):
  np.testing.assert_allclose(
    color_jitter.turn_hue(_image(), turn),
    tf.image.adjust_hue(_image(), turn),
    atol=1e-5,
  )


@pytest.mark.parametrize('factor', [0.0, 0.2, 1.0, 1.8])
def test_saturate_is_that_of_tf_image(factor):
  np.testing.assert_allclose(
    color_jitter.saturate(_image(), factor),
    tf.image.adjust_saturation(_image(), factor),
    atol=1e-5,
  )


def test_gray_is_that_of_tf_image():
  np.testing.assert_allclose(
    color_jitter.gray(_image())[..., :1],
    tf.image.rgb_to_grayscale(_image()),
    atol=1e-5,
  )


@pytest.mark.parametrize('factor', [0.2, 1.0, 1.8])
def test_contrast_is_that_of_tf_image_inside_the_crop(factor):
  image = _image(12, 20)
  expected = tf.image.adjust_contrast(image[:9, :14], factor)
  actual = color_jitter.contrast(
    tf.constant(image), factor, tf.constant([9, 14])
  )
  np.testing.assert_allclose(
    actual[:9, :14], tf.clip_by_value(expected, 0, 1), atol=1e-5
  )


@tf.function(jit_compile=True)
def _distort(image, distortion, size):
  return color_jitter.distort(image, distortion, size)


def test_distort_stays_in_range_and_is_as_often_gray_or_left_alone_as_simclr():
  image = tf.constant(_image())
  gray = same = 0
  for seed in range(80):
    drawn = color_jitter.draw(tf.constant([1, seed], tf.int64), 1.0)
    out = _distort(image, drawn, tf.constant([16, 16])).numpy()
    assert out.shape == (16, 16, 3)
    assert out.min() >= 0 and out.max() <= 1
    gray += bool(np.ptp(out, axis=-1).max() < 1e-5)
    same += bool((out == image.numpy()).all())
  assert 6 <= gray <= 28  # A fifth.
  assert 4 <= same <= 26  # A fifth of those that are not gray.


def test_the_order_of_the_steps_counts():
  image, size = tf.constant(_image()), tf.constant([16, 16])
  drawn = color_jitter.draw(tf.constant([1, 2]), 1.0)
  drawn = drawn._replace(jitter=tf.constant(True), gray=tf.constant(False))
  steps = [
    lambda x: tf.minimum(x * drawn.factors[0], 1.0),
    lambda x: color_jitter.contrast(x, drawn.factors[1], size),
    lambda x: color_jitter.saturate(x, drawn.factors[2]),
    lambda x: color_jitter.turn_hue(x, drawn.turn),
  ]
  outs = []
  for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
    x = image
    for step in order:
      x = steps[step](x)
    drawn = drawn._replace(order=tf.constant(order))
    outs.append(_distort(image, drawn, size).numpy())
    np.testing.assert_allclose(outs[-1], x, atol=1e-5)
  assert np.abs(outs[0] - outs[1]).max() > 0.01
