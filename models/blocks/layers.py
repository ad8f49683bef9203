"""Convolutions, dropout and upsampling that encoder and decoder share."""

import tensorflow as tf
import tf_keras

from models import prng


def scaled_uniform(scale: float = 1.0) -> tf_keras.initializers.Initializer:
  """The decoder's initialiser; a shared one would make all weights equal."""
  return tf_keras.initializers.VarianceScaling(scale, 'fan_avg', 'uniform')


def batch_size(x: tf.Tensor) -> int | tf.Tensor:
  """The first axis: a number where it is known, which keeps shapes static."""
  return x.shape[0] if x.shape[0] is not None else tf.shape(x)[0]


def dropout(x: tf.Tensor, rate: float, rng: prng.Rng | None) -> tf.Tensor:
  """Dropout with the random numbers of x's rows; identity without `rng`."""
  if rng is None or rate == 0.0:
    return x
  return _keep(x, rng.uniform(x.shape[1:]) >= rate, rate)


def drop_path(x: tf.Tensor, rate: float, rng: prng.Rng | None) -> tf.Tensor:
  """Drops a residual branch `[B, s, d]` for whole examples of the batch."""
  if rng is None or rate == 0.0:
    return x
  return _keep(x, rng.scalar()[:, None, None] >= rate, rate)


def _keep(x: tf.Tensor, kept: tf.Tensor, rate: float) -> tf.Tensor:
  """Zeros where not kept; the mean stays the same."""
  return tf.where(kept, x / (1 - rate), tf.zeros([], x.dtype))


def upsample(x: tf.Tensor, factor: int) -> tf.Tensor:
  """Nearest upsampling of `[B, h, w, c]` by repetition.

  XLA has no kernel for the gradient of a nearest resize; the gradient of a
  repetition is a sum.
  """
  if factor == 1:
    return x
  _, height, width, channels = x.shape
  # As tf.repeat, in a fraction of its operations.
  x = tf.tile(x[:, :, :, None], [1, 1, 1, factor, 1])
  x = tf.reshape(x, [-1, height, 1, factor * width * channels])
  x = tf.tile(x, [1, 1, factor, 1])
  return tf.reshape(x, [-1, factor * height, factor * width, channels])


def space_to_depth(x: tf.Tensor, size: int) -> tf.Tensor:
  """Joins the channels of size x size pixels, row by row.

  Args:
    x: `[B, h, w, c]` of any type.
    size: A divisor of h and w.

  Returns:
    `[B, h / size, w / size, size * size * c]`.
  """
  if size == 1:
    return x
  _, height, width, channels = x.shape
  rows, columns = height // size, width // size
  x = tf.reshape(x, [-1, rows, size, columns, size, channels])
  x = tf.transpose(x, [0, 1, 3, 2, 4, 5])
  return tf.reshape(x, [-1, rows, columns, size * size * channels])


def depth_to_space(x: tf.Tensor, size: int) -> tf.Tensor:
  """The inverse of `space_to_depth`."""
  if size == 1:
    return x
  _, rows, columns, channels = x.shape
  channels //= size * size
  x = tf.reshape(x, [-1, rows, columns, size, size, channels])
  x = tf.transpose(x, [0, 1, 3, 2, 4, 5])
  return tf.reshape(x, [-1, rows * size, columns * size, channels])


def conv(
  filters: int,
  kernel_size: int,
  strides: int = 1,
  zero: bool = False,
  name: str | None = None,
) -> tf_keras.layers.Conv2D:
  """A SAME convolution with bias; `zero` initialises it near zero."""
  return tf_keras.layers.Conv2D(
    filters,
    kernel_size,
    strides,
    padding='same',
    kernel_initializer=scaled_uniform(1e-10 if zero else 1.0),
    name=name,
  )


def dense(units: int, name: str | None = None) -> tf_keras.layers.Dense:
  """A dense layer with the decoder's initialiser."""
  return tf_keras.layers.Dense(
    units, kernel_initializer=scaled_uniform(), name=name
  )
