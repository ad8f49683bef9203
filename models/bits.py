"""Integers as analog bits: Algorithm 3 of the paper, and its inverse.

A panoptic map is int32 `[..., 2]`: the semantic class, then the instance id.
Both channels become `n` bits each, class bits first, so that a map is a real
tensor `[..., 2 * n]` with values -b and b.
"""

import tensorflow as tf


def int2bit(x: tf.Tensor, n: int = 8) -> tf.Tensor:
  """Little-endian bits of integers (Algorithm 3).

  Args:
    x: Integers `[...]` of any type, at most 32 bits wide in value.
    n: Number of bits.

  Returns:
    int32 `[..., n]` of 0 and 1.
  """
  x = tf.cast(x, tf.int32)  # Narrow types cannot be shifted by all of range(n).
  x = tf.bitwise.right_shift(tf.expand_dims(x, -1), tf.range(n))
  return tf.math.mod(x, 2)


def bit2int(x: tf.Tensor) -> tf.Tensor:
  """Integers of little-endian bits (Algorithm 3).

  Args:
    x: Bits `[..., n]`, 0 or 1 (True or False) in any type.

  Returns:
    int32 `[...]`.
  """
  x = tf.cast(x, tf.int32)
  n = x.shape[-1]
  return tf.reduce_sum(x * (2 ** tf.range(n)), -1)


def to_analog(label_map: tf.Tensor, n: int, b: float) -> tf.Tensor:
  """The analog bits `(2 * bit - 1) * b` of a panoptic map.

  Args:
    label_map: Integers `[B, h, w, c]`, one channel for each coded integer.
    n: Bits per channel.
    b: Input scaling.

  Returns:
    float32 `[B, h, w, c * n]`.
  """
  x = (2.0 * tf.cast(int2bit(label_map, n), tf.float32) - 1.0) * b
  return tf.reshape(x, [-1, *x.shape[1:-2], x.shape[-2] * n])


def from_analog(
  x: tf.Tensor, n: int, num_classes: int, max_instances: int
) -> tf.Tensor:
  """The panoptic map of analog bits; a bit is 1 where its value is positive.

  Args:
    x: Analog bits `[B, h, w, 2 * n]`.
    n: Bits per channel.
    num_classes: Number of classes; larger classes become `num_classes - 1`.
    max_instances: Number of ids; larger ids become `max_instances - 1`.

  Returns:
    int32 `[B, h, w, 2]`.
  """
  class_bits, id_bits = tf.split(x > 0, [n, n], axis=-1)
  return tf.stack(
    [
      tf.minimum(bit2int(class_bits), num_classes - 1),
      tf.minimum(bit2int(id_bits), max_instances - 1),
    ],
    axis=-1,
  )


def expected_bits(logits: tf.Tensor, n: int, b: float) -> tf.Tensor:
  """The mean analog bits of distributions over integers.

  Args:
    logits: `[B, h, w, c, 2**n]`, one distribution for each coded integer.
    n: Bits per channel.
    b: Input scaling.

  Returns:
    float32 `[B, h, w, c * n]` in [-b, b].
  """
  bits = tf.cast(int2bit(tf.range(2**n), n), tf.float32)
  p = tf.nn.softmax(tf.cast(logits, tf.float32))
  x = (2.0 * tf.matmul(p, bits) - 1.0) * b
  return tf.reshape(x, [-1, *x.shape[1:-2], x.shape[-2] * n])
