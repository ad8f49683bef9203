"""Layers that the encoder and the decoder share.

Normalisation is written as one affine map of the input, `x * a + c`, whose
coefficients come from sums over pixels. The sums are products with a vector of
ones, which every backend computes at full speed, and whatever else scales or
shifts the channels is folded into the small coefficients: several times faster
than moments and broadcasts on a CPU, and the same mathematics.
"""

import math
from typing import Optional, Tuple

import numpy as np
import tensorflow as tf
import tf_keras

from models import randomness

KeysValues = Tuple[tf.Tensor, tf.Tensor]


def scaled_uniform(scale: float = 1.0) -> tf_keras.initializers.Initializer:
  """The decoder's initialiser; new for each weight, or all would be equal."""
  return tf_keras.initializers.VarianceScaling(scale, 'fan_avg', 'uniform')


def batch_size(x: tf.Tensor) -> int | tf.Tensor:
  """The first axis: a number where it is known, which keeps shapes static."""
  return x.shape[0] if x.shape[0] is not None else tf.shape(x)[0]


def dropout(
  x: tf.Tensor, rate: float, rng: Optional[randomness.Rng]
) -> tf.Tensor:
  """Dropout in training (with `rng`, of x's rows), identity without."""
  if rng is None or rate == 0.0:
    return x
  return _keep(x, rng.uniform(x.shape[1:]) >= rate, rate)


def drop_path(
  x: tf.Tensor, rate: float, rng: Optional[randomness.Rng]
) -> tf.Tensor:
  """Drops a residual branch `[B, s, d]` for whole examples."""
  if rng is None or rate == 0.0:
    return x
  return _keep(x, rng.scalar()[:, None, None] >= rate, rate)


def _keep(x: tf.Tensor, kept: tf.Tensor, rate: float) -> tf.Tensor:
  """Zeros where not kept, and the same mean."""
  return tf.where(kept, x / (1 - rate), tf.zeros([], x.dtype))


def position_code_1d(positions, dim: int):
  """Sines, then cosines, of positions `[...]`: float32 `[..., dim]`."""
  i = np.arange(dim)
  rates = 1 / np.power(10000.0, 2 * (i // 2) / dim)
  angles = tf.expand_dims(tf.cast(positions, tf.float32), -1)
  even = tf.constant(rates[0::2], tf.float32)
  odd = tf.constant(rates[1::2], tf.float32)
  return tf.concat([tf.sin(angles * even), tf.cos(angles * odd)], -1)


def position_code_2d(rows: int, cols: int, dim: int) -> tf.Tensor:
  """The fixed code of a grid, float32 `[1, rows * cols, dim]`.

  Coordinates span [0, 2 pi] with both ends; y takes the first half of the
  channels. A grid of a single row or column has a 1-D code over all of them.
  """

  def coordinates(n: int) -> np.ndarray:
    return 2 * math.pi * np.arange(n) / max(n - 1, 1)

  if min(rows, cols) == 1:
    return position_code_1d(coordinates(max(rows, cols)), dim)[None]
  y = position_code_1d(coordinates(rows), dim // 2)[:, None]
  x = position_code_1d(coordinates(cols), dim // 2)[None]
  shape = [rows, cols, dim // 2]
  code = tf.concat([tf.broadcast_to(y, shape), tf.broadcast_to(x, shape)], -1)
  return tf.reshape(code, [1, rows * cols, dim])


def upsample(x: tf.Tensor, factor: int) -> tf.Tensor:
  """Nearest upsampling of `[B, h, w, c]` by repetition.

  The gradient of a nearest resize has no XLA kernel; repetition's is a sum.
  """
  if factor == 1:
    return x
  return tf.repeat(tf.repeat(x, factor, axis=1), factor, axis=2)


def channel_sum(x: tf.Tensor) -> tf.Tensor:
  """Sums over the pixels of `[B, h, w, c]`, float32 `[B, c]`."""
  _, height, width, channels = x.shape
  x = tf.reshape(tf.cast(x, tf.float32), [-1, height * width, channels])
  ones = tf.ones([batch_size(x), 1, height * width])
  return tf.matmul(ones, x)[:, 0]


def affine(x: tf.Tensor, a: tf.Tensor, c: tf.Tensor) -> tf.Tensor:
  """`x * a + c` for x `[B, h, w, C]` and coefficients `[B or 1, C]`."""
  a, c = tf.cast(a, x.dtype), tf.cast(c, x.dtype)
  return x * a[:, None, None] + c[:, None, None]


def num_groups(width: int) -> int:
  """The groups of a group norm of that width."""
  return max(min(width // 4, 32), 1)


class GroupNorm(tf_keras.layers.Layer):
  """Group normalisation, optionally followed by a scale and shift.

  eps is 1e-5, and there are min(width // 4, 32) groups, where `width` is the
  layer's own (which may differ from its input's channels).
  """

  def __init__(self, width: int, **kwargs):
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
    """Normalises `[B, h, w, C]`; `* (1 + scale) + shift`, each `[B, C]`."""
    _, height, width, channels = x.shape
    size = channels // self._groups
    count = height * width * size

    def group_mean(sums):
      grouped = tf.reshape(sums, [-1, self._groups, size])
      return tf.repeat(tf.reduce_sum(grouped, -1), size, axis=1) / count

    mean = group_mean(channel_sum(x))
    # In half precision the difference below would cancel.
    square = tf.square(tf.cast(x, tf.float32))
    variance = tf.maximum(group_mean(channel_sum(square)) - mean**2, 0.0)
    a = self.gamma * tf.math.rsqrt(variance + 1e-5)
    c = self.beta - mean * a
    if scale is not None:
      scale = 1 + tf.cast(scale, tf.float32)
      a, c = a * scale, c * scale + tf.cast(shift, tf.float32)
    return affine(x, a, c)


class ConvBatchNorm(tf_keras.layers.Layer):
  """Convolution without bias, then batch norm (eps 1e-5, momentum 0.9).

  Strides pad explicitly, (k - 1) // 2 before and the rest after. Statistics
  are those of the global batch under any number of replicas. In inference the
  norm is folded into the kernel, whose product a backend fuses into one op.
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
      mean, second_moment = context.all_reduce(
        tf.distribute.ReduceOp.MEAN, [mean, variance + mean**2]
      )
      variance = tf.maximum(second_moment - mean**2, 0.0)
    for moving, now in (
      (self.moving_mean, mean),
      (self.moving_variance, variance),
    ):
      moving.assign(0.9 * moving + 0.1 * tf.stop_gradient(now))
    a = self.gamma * tf.math.rsqrt(variance + 1e-5)
    c = self.beta + (local_mean - mean) * a
    return affine(x, a[None], c[None])

  def _convolve(self, x, kernel):
    if self._strides == 1:
      return tf.nn.conv2d(x, kernel, 1, 'SAME')
    total = self._kernel_size - 1
    pad = [total // 2, total - total // 2]
    return tf.nn.conv2d(
      tf.pad(x, [[0, 0], pad, pad, [0, 0]]), kernel, self._strides, 'VALID'
    )


class Attention(tf_keras.layers.Layer):
  """Multi-head attention with the weight layout of Keras' layer.

  Keys and values are computed by a call of their own, so that those of a
  memory that does not change are computed once.
  """

  def __init__(self, heads: int, head_dim: int, dim: int, drop=0.0, **kwargs):
    super().__init__(**kwargs)
    self._scale = 1 / math.sqrt(head_dim)
    self._drop = drop

    def to_heads(name):
      return tf_keras.layers.EinsumDense(
        'bsd,dhe->bshe', [None, heads, head_dim], bias_axes='he', name=name
      )

    self.query, self.key, self.value = map(to_heads, ('query', 'key', 'value'))
    self.output_dense = tf_keras.layers.EinsumDense(
      'bshe,hed->bsd', [None, dim], bias_axes='d', name='output'
    )

  def keys_values(self, memory: tf.Tensor) -> KeysValues:
    """Keys and values `[B, m, heads, head_dim]` of a memory `[B, m, dim]`."""
    return self.key(memory), self.value(memory)

  def call(
    self, x, keys_values: KeysValues, rng: Optional[randomness.Rng] = None
  ):
    """Attends from `[B, s, dim]`; returns the same shape."""
    keys, values = keys_values
    scores = tf.einsum('bqhe,bkhe->bhqk', self.query(x) * self._scale, keys)
    p = dropout(tf.nn.softmax(scores), self._drop, rng)
    return self.output_dense(tf.einsum('bhqk,bkhe->bqhe', p, values))


def layer_norm(name: str) -> tf_keras.layers.Layer:
  return tf_keras.layers.LayerNormalization(epsilon=1e-6, name=name)


class Mlp(tf_keras.layers.Layer):
  """LN, dense, exact GELU, dropout, dense; without the residual."""

  def __init__(self, hidden: int, dim: int, drop: float = 0.0, **kwargs):
    super().__init__(**kwargs)
    self._drop = drop
    self.ln = layer_norm('ln')
    self.dense1 = tf_keras.layers.Dense(hidden, name='dense1')
    self.dense2 = tf_keras.layers.Dense(dim, name='dense2')

  def call(self, x, rng: Optional[randomness.Rng] = None):
    x = tf.nn.gelu(self.dense1(self.ln(x)), approximate=False)
    return self.dense2(dropout(x, self._drop, rng))


class EncoderLayer(tf_keras.layers.Layer):
  """A pre-LN transformer layer over tokens `[B, s, dim]`."""

  def __init__(
    self,
    dim: int,
    heads: int,
    hidden: int,
    drop_path_rate: float,
    drop_units: float,
    drop_attention: float,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self._drop_path = drop_path_rate
    self.ln = layer_norm('ln')
    self.attention = Attention(
      heads, dim // heads, dim, drop_attention, name='attention'
    )
    self.mlp = Mlp(hidden, dim, drop_units, name='mlp')

  def call(self, x, rng: Optional[randomness.Rng] = None):
    y = self.ln(x)
    y = self.attention(y, self.attention.keys_values(y), rng)
    x += drop_path(y, self._drop_path, rng)
    return x + drop_path(self.mlp(x, rng), self._drop_path, rng)


class DecoderLayer(tf_keras.layers.Layer):
  """A pre-LN layer that also attends to a memory, when there is one."""

  def __init__(
    self, dim: int, head_dim: int, cross: bool, drop: float = 0.0, **kwargs
  ):
    super().__init__(**kwargs)
    heads = dim // head_dim
    self.self_ln = layer_norm('self_ln')
    self.self_attention = Attention(heads, head_dim, dim, name='self_attention')
    self.cross_ln = layer_norm('cross_ln') if cross else None
    self.cross_attention = (
      Attention(heads, head_dim, dim, name='cross_attention') if cross else None
    )
    self.mlp = Mlp(4 * dim, dim, drop, name='mlp')

  def call(
    self,
    x,
    memory: Optional[KeysValues] = None,
    rng: Optional[randomness.Rng] = None,
  ):
    y = self.self_ln(x)
    x += self.self_attention(y, self.self_attention.keys_values(y))
    if self.cross_attention is not None:
      x += self.cross_attention(self.cross_ln(x), memory)
    return x + self.mlp(x, rng)


def conv(
  filters: int,
  kernel_size: int,
  strides: int = 1,
  zero: bool = False,
  name=None,
) -> tf_keras.layers.Conv2D:
  """A biased SAME convolution; `zero`: initialised near zero."""
  return tf_keras.layers.Conv2D(
    filters,
    kernel_size,
    strides,
    padding='same',
    kernel_initializer=scaled_uniform(1e-10 if zero else 1.0),
    name=name,
  )


def dense(units: int, name=None) -> tf_keras.layers.Dense:
  return tf_keras.layers.Dense(
    units, kernel_initializer=scaled_uniform(), name=name
  )
