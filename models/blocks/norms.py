"""Group and batch normalisation.

A norm is written as one affine map of its input, `x * a + c`, whose
coefficients come from sums over pixels. The sums are products with a vector of
ones, which every backend computes at full speed; other scales and shifts of the
channels are folded into the small coefficients. The mathematics is that of
moments and broadcasts, several times faster on a CPU.
"""

import math

import tensorflow as tf
import tf_keras

from models.blocks import gradients, layers, recompute


def channel_sum(x: tf.Tensor) -> tf.Tensor:
  """Sums over the pixels of `[B, h, w, c]`, float32 `[B, c]`."""
  _, height, width, channels = x.shape
  x = tf.reshape(tf.cast(x, tf.float32), [-1, height * width, channels])
  ones = tf.ones([layers.batch_size(x), 1, height * width])
  return tf.reshape(tf.matmul(ones, x), [-1, channels])


def _per_pixel(a: tf.Tensor) -> tf.Tensor:
  """Coefficients `[B, C]` or `[C]` as `[B or 1, 1, 1, C]`."""
  return tf.reshape(a, [-1, 1, 1, a.shape[-1]])


@gradients.custom_gradient
def affine(x: tf.Tensor, a: tf.Tensor, c: tf.Tensor):
  """`x * a + c` for x `[B, h, w, C]` and float32 coefficients `[B, C]`."""

  def gradient(d_y):
    d_x = d_y * _per_pixel(tf.cast(a, x.dtype))
    return d_x, channel_sum(d_y * x), channel_sum(d_y)

  return _affine(x, a, c), gradient


def _affine(x, a, c):
  a, c = tf.cast(a, x.dtype), tf.cast(c, x.dtype)
  return x * _per_pixel(a) + _per_pixel(c)


def moments(x: tf.Tensor, groups: int) -> tuple[tf.Tensor, tf.Tensor]:
  """Mean and variance of each group of channels.

  E[x^2] - E[x]^2 cancels where the mean is far from 0; so x is centred first,
  on about its mean, that of a few pixels.

  Args:
    x: `[B, h, w, C]`.
    groups: Their number.

  Returns:
    float32 `[B, C]` each: the values of every channel's group.
  """
  _, height, width, channels = x.shape
  pixels, size = height * width, channels // groups

  def group_mean(sums, count):
    grouped = tf.reshape(sums, [-1, groups, size])
    means = tf.reduce_sum(grouped, -1, keepdims=True) / (count * size)
    return tf.reshape(tf.tile(means, [1, 1, size]), [-1, channels])

  @gradients.custom_gradient
  def compute(x):
    few = tf.cast(x[:, ::4, ::4], tf.float32)
    center = group_mean(channel_sum(few), math.prod(few.shape[1:3]))
    mean = group_mean(channel_sum(x), pixels)
    square = tf.math.squared_difference(
      tf.cast(x, tf.float32), _per_pixel(center)
    )
    variance = group_mean(channel_sum(square), pixels) - tf.square(
      mean - center
    )
    variance = tf.maximum(variance, 0.0)

    def gradient(d_mean, d_variance):
      # 2 (x - mean) d_variance + d_mean, as an affine map of x.
      a = 2 * group_mean(d_variance, pixels)
      return _affine(x, a, group_mean(d_mean, pixels) - mean * a)

    return (mean, variance), gradient

  return compute(x)


def num_groups(width: int) -> int:
  """Number of groups in a group norm of that width."""
  return max(min(width // 4, 32), 1)


class GroupNorm(tf_keras.layers.Layer):
  """Group normalisation with eps 1e-5, optionally with a scale and shift."""

  def __init__(self, width: int, **kwargs):
    """Takes the width that sets the groups; the input may have another."""
    super().__init__(**kwargs)
    self._groups = num_groups(width)

  def build(self, shape):
    channels = shape[-1]
    if channels % self._groups:
      raise ValueError(
        f'{channels} channels do not divide into {self._groups} groups: '
        'choose widths that are multiples of 4 and of 32 from 128 on'
      )
    self.gamma = self.add_weight(
      'gamma', [channels], initializer='ones', experimental_autocast=False
    )
    self.beta = self.add_weight(
      'beta', [channels], initializer='zeros', experimental_autocast=False
    )

  def call(self, x, scale=None, shift=None):
    """Normalises `[B, h, w, C]`, then `x * (1 + scale) + shift`, if given.

    Args:
      x: The input.
      scale: `[B or 1, C]`, or None.
      shift: `[B or 1, C]`, or None.

    Returns:
      `[B, h, w, C]`.
    """
    mean, variance = moments(x, self._groups)
    a = self.gamma * tf.math.rsqrt(variance + 1e-5)
    c = self.beta - mean * a
    if scale is not None:
      scale = 1 + tf.cast(scale, tf.float32)
      a, c = a * scale, c * scale + tf.cast(shift, tf.float32)
    return affine(x, a, c)


class ConvBatchNorm(tf_keras.layers.Layer):
  """Convolution without bias, then batch norm (eps 1e-5, momentum 0.9).

  A strided convolution pads explicitly, (k - 1) // 2 before and the rest after.
  Statistics are those of the global batch under any number of replicas. In
  inference the norm is folded into the kernel, which leaves a single operation.
  """

  def __init__(
    self, filters: int, kernel_size: int, strides: int = 1, zero=False, **kwargs
  ):
    super().__init__(**kwargs)
    self._filters, self._kernel_size = filters, kernel_size
    self._strides = strides
    self._gamma_initializer = 'zeros' if zero else 'ones'

  def build(self, shape):
    k = self._kernel_size
    self.kernel = self.add_weight(
      'kernel',
      [k, k, shape[-1], self._filters],
      initializer=tf_keras.initializers.VarianceScaling(1.0, 'fan_in'),
    )

    def vector(name, initializer, **kwargs):
      return self.add_weight(
        name,
        [self._filters],
        initializer=initializer,
        experimental_autocast=False,
        **kwargs,
      )

    statistics = dict(
      trainable=False,
      synchronization=tf.VariableSynchronization.ON_READ,
      aggregation=tf.VariableAggregation.MEAN,
    )
    self.gamma = vector('gamma', self._gamma_initializer)
    self.beta = vector('beta', 'zeros')
    self.moving_mean = vector('moving_mean', 'zeros', **statistics)
    self.moving_variance = vector('moving_variance', 'ones', **statistics)

  def call(self, x, training=False):
    if not training:
      a = self.gamma * tf.math.rsqrt(self.moving_variance + 1e-5)
      c = self.beta - self.moving_mean * a
      kernel = self.kernel * tf.cast(a, self.compute_dtype)
      return tf.nn.bias_add(self._convolve(x, kernel), tf.cast(c, x.dtype))
    return self._normalize(self._convolve(x, self.kernel))

  def _normalize(self, x):
    """Training-mode batch norm; keeps the moving statistics."""
    local_mean = tf.reduce_mean(tf.cast(x, tf.float32), [0, 1, 2])
    # Centred first: E[x^2] - E[x]^2 would cost the gradient its precision.
    x = x - tf.cast(local_mean, x.dtype)
    variance = tf.reduce_mean(tf.square(tf.cast(x, tf.float32)), [0, 1, 2])
    mean = local_mean
    context = tf.distribute.get_replica_context()
    if context is not None and context.num_replicas_in_sync > 1:
      # About the moving mean, which all replicas have: the difference of the
      # second moment about 0 and mean^2 would cancel.
      shift = tf.stop_gradient(tf.convert_to_tensor(self.moving_mean))
      offset = local_mean - shift
      mean_offset, second_moment = context.all_reduce(
        tf.distribute.ReduceOp.MEAN, [offset, variance + offset**2]
      )
      mean = shift + mean_offset
      variance = tf.maximum(second_moment - mean_offset**2, 0.0)
    if not recompute.is_recomputing():
      for moving, now in (
        (self.moving_mean, mean),
        (self.moving_variance, variance),
      ):
        moving.assign(0.9 * moving + 0.1 * tf.stop_gradient(now))
    a = self.gamma * tf.math.rsqrt(variance + 1e-5)
    c = self.beta + (local_mean - mean) * a
    return _affine(x, a, c)

  def _convolve(self, x, kernel):
    if self._strides == 1:
      return tf.nn.conv2d(x, kernel, 1, 'SAME')
    total = self._kernel_size - 1
    pad = [total // 2, total - total // 2]
    return tf.nn.conv2d(
      tf.pad(x, [[0, 0], pad, pad, [0, 0]]), kernel, self._strides, 'VALID'
    )
