import numpy as np
import pytest
import tensorflow as tf

from models import bits


@pytest.mark.parametrize('dtype', [np.uint8, np.int16, np.int32, np.int64])
def test_all_values_are_little_endian_and_come_back(dtype):
  values = np.arange(256).astype(dtype)
  coded = bits.int2bit(tf.constant(values))
  expected = np.arange(256)[:, None] >> np.arange(8) & 1
  np.testing.assert_array_equal(coded, expected)
  decoded = bits.bit2int(coded)
  assert coded.dtype == decoded.dtype == tf.int32
  np.testing.assert_array_equal(decoded, np.arange(256))


def test_bits_of_any_type_and_number():
  coded = bits.int2bit(tf.constant([[1000, 5]]), 12)
  assert coded.shape == [1, 2, 12]
  for dtype in (tf.bool, tf.float32, tf.uint8):
    decoded = bits.bit2int(tf.cast(coded, dtype))
    np.testing.assert_array_equal(decoded, [[1000, 5]])


def test_analog_bits_are_class_then_id_scaled():
  label_map = tf.constant([[[[1, 2], [6, 5]]]], tf.int16)
  x = bits.to_analog(label_map, 3, 0.1)
  assert x.dtype == tf.float32
  np.testing.assert_allclose(
    x,
    0.1
    * np.array([[[[1, -1, -1, -1, 1, -1], [-1, 1, 1, 1, -1, 1]]]], np.float32),
  )


def test_past_masks_keep_their_order():
  label_map = tf.constant([[[[1, 0, 0, 2]]]])
  x = bits.to_analog(label_map, 2, 1.0)
  np.testing.assert_array_equal(x[0, 0, 0], [1, -1, -1, -1, -1, -1, -1, 1])


def test_the_sign_decides_and_both_channels_are_clipped():
  values = np.stack(np.meshgrid(range(16), range(16)), -1)[None]
  x = bits.to_analog(tf.constant(values), 4, 0.3)
  random = np.random.default_rng(0)
  x *= random.uniform(0.01, 9.0, x.shape)
  decoded = bits.from_analog(x, 4, num_classes=7, max_instances=12)
  assert decoded.dtype == tf.int32
  np.testing.assert_array_equal(decoded, np.minimum(values, [6, 11]))
  void = bits.from_analog(tf.zeros([1, 2, 2, 8]), 4, 7, 12)
  np.testing.assert_array_equal(void, np.zeros([1, 2, 2, 2]))


def test_expected_bits_of_certainty_are_the_analog_bits():
  random = np.random.default_rng(0)
  label_map = random.integers(0, 256, [2, 3, 4, 2])
  logits = 1e3 * tf.one_hot(label_map, 256)
  np.testing.assert_allclose(
    bits.expected_bits(logits, 8, 0.1),
    bits.to_analog(tf.constant(label_map), 8, 0.1),
    atol=1e-7,
  )


def test_expected_bits_are_means_over_the_distribution():
  uniform = bits.expected_bits(tf.zeros([1, 1, 1, 2, 16]), 4, 0.5)
  np.testing.assert_allclose(uniform, np.zeros([1, 1, 1, 8]), atol=1e-7)
  # 1 with probability 1/4, 2 with 3/4.
  p = [[1e-30, 0.25, 0.75, 1e-30]]
  logits = tf.math.log(tf.constant(p))[None, None, None]
  x = bits.expected_bits(tf.cast(logits, tf.float32), 2, 1.0)
  np.testing.assert_allclose(x[0, 0, 0], [-0.5, 0.5], rtol=1e-6)
