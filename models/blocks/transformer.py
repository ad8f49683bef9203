"""The transformer layers of the encoder and the decoder."""

import math

import numpy as np
import tensorflow as tf
import tf_keras

from configs import base
from models import prng
from models.blocks import attention, layers, recompute


def sincos_position_embedding(positions, dim: int) -> tf.Tensor:
  """Sines, then cosines, of positions `[...]`: float32 `[..., dim]`."""
  i = np.arange(dim)
  rates = 1 / np.power(10000.0, 2 * (i // 2) / dim)
  angles = tf.expand_dims(tf.cast(positions, tf.float32), -1)
  even = tf.constant(rates[0::2], tf.float32)
  odd = tf.constant(rates[1::2], tf.float32)
  return tf.concat([tf.sin(angles * even), tf.cos(angles * odd)], -1)


def sincos_position_embedding_2d(rows: int, cols: int, dim: int) -> tf.Tensor:
  """The fixed embedding of a grid, float32 `[1, rows * cols, dim]`.

  Coordinates span [0, 2 pi] with both ends; y takes the first half of the
  channels. A grid of a single row or column has a 1-D embedding over all
  channels.
  """

  def coordinates(n: int) -> np.ndarray:
    return 2 * math.pi * np.arange(n) / max(n - 1, 1)

  if min(rows, cols) == 1:
    return sincos_position_embedding(coordinates(max(rows, cols)), dim)[None]
  y = sincos_position_embedding(coordinates(rows), dim // 2)[:, None]
  x = sincos_position_embedding(coordinates(cols), dim // 2)[None]
  shape = [rows, cols, dim // 2]
  embedding = tf.concat(
    [tf.broadcast_to(y, shape), tf.broadcast_to(x, shape)], -1
  )
  return tf.reshape(embedding, [1, rows * cols, dim])


def layer_norm(name: str) -> tf_keras.layers.Layer:
  """A layer norm with eps 1e-6."""
  return tf_keras.layers.LayerNormalization(epsilon=1e-6, name=name)


class Mlp(tf_keras.layers.Layer):
  """LN, dense, exact GELU, dropout, dense; no residual."""

  def __init__(self, hidden: int, dim: int, drop: float = 0.0, **kwargs):
    super().__init__(**kwargs)
    self._drop = drop
    self.ln = layer_norm('ln')
    self.dense1 = tf_keras.layers.Dense(hidden, name='dense1')
    self.dense2 = tf_keras.layers.Dense(dim, name='dense2')

  def call(self, x, rng: prng.Rng | None = None):
    x = tf.nn.gelu(self.dense1(self.ln(x)), approximate=False)
    return self.dense2(layers.dropout(x, self._drop, rng))


class EncoderLayer(recompute.Recomputable):
  """A pre-LN transformer layer over tokens `[B, s, dim]`."""

  def __init__(self, config: base.ImageEncoder, **kwargs):
    super().__init__(**kwargs)
    dim, heads = config.dim, config.num_heads
    self._drop_path = config.drop_path
    self.ln = layer_norm('ln')
    self.attention = attention.Attention(
      heads, dim // heads, dim, config.drop_attention, name='attention'
    )
    self.mlp = Mlp(config.mlp_dim, dim, config.drop_units, name='mlp')

  def call(self, x, rng: prng.Rng | None = None):
    y = self.ln(x)
    y = self.attention(y, self.attention.keys_values(y), rng)
    x += layers.drop_path(y, self._drop_path, rng)
    return x + layers.drop_path(self.mlp(x, rng), self._drop_path, rng)


class DecoderLayer(recompute.Recomputable):
  """A pre-LN layer that also attends to a memory, with `cross`."""

  def __init__(self, config: base.MaskDecoder, cross: bool, **kwargs):
    super().__init__(**kwargs)
    dim, head_dim = config.transformer_dim, config.head_dim
    heads = dim // head_dim
    self.self_ln = layer_norm('self_ln')
    self.self_attention = attention.Attention(
      heads, head_dim, dim, name='self_attention'
    )
    self._cross = cross
    if cross:
      self.cross_ln = layer_norm('cross_ln')
      self.cross_attention = attention.Attention(
        heads, head_dim, dim, name='cross_attention'
      )
    self.mlp = Mlp(4 * dim, dim, config.dropout, name='mlp')

  def keys_values(self, memory: tf.Tensor) -> attention.KeysValues | None:
    """Keys and values of a memory `[B, m, dim]`; None without `cross`."""
    return self.cross_attention.keys_values(memory) if self._cross else None

  def call(
    self,
    x,
    keys_values: attention.KeysValues | None = None,
    rng: prng.Rng | None = None,
  ):
    y = self.self_ln(x)
    x += self.self_attention(y, self.self_attention.keys_values(y))
    if self._cross:
      x += self.cross_attention(self.cross_ln(x), keys_values)
    return x + self.mlp(x, rng)
