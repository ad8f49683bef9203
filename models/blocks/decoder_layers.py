"""The layers of the mask decoder."""

import math
from collections.abc import Mapping

import tensorflow as tf
import tf_keras

from configs import base
from models import prng
from models.blocks import layers, norms, recompute, transformer


class TimeEmbedding(tf_keras.layers.Layer):
  """gamma `[N]` to `[N, 4 * dim]`."""

  def __init__(self, dim: int, time_scaling: float, **kwargs):
    # Half precision would round gamma * time_scaling.
    super().__init__(autocast=False, **kwargs)
    self._dim, self._time_scaling = dim, time_scaling
    self.dense_0 = layers.dense(4 * dim, name='dense_0')
    self.dense_1 = layers.dense(4 * dim, name='dense_1')

  def call(self, gamma):
    x = gamma * self._time_scaling
    x = transformer.sincos_position_embedding(x, self._dim)
    return tf.nn.silu(self.dense_1(tf.nn.silu(self.dense_0(x))))


class Block(recompute.Recomputable):
  """A residual block; time scales and shifts its second norm."""

  def __init__(self, channels: int, drop: float, **kwargs):
    super().__init__(**kwargs)
    self._channels, self._drop = channels, drop
    self.conv_0 = layers.conv(channels, 3, name='conv_0')
    # Projects the time embedding. Stored checkpoints know it by this name.
    self.modulation = layers.dense(2 * channels, name='modulation')
    self.gn_1 = norms.GroupNorm(channels, name='gn_1')
    self.conv_1 = layers.conv(channels, 3, zero=True, name='conv_1')

  def build(self, shape):
    self.gn_0 = norms.GroupNorm(shape[-1], name='gn_0')
    self.skip = (
      layers.conv(self._channels, 1, name='skip')
      if shape[-1] != self._channels
      else None
    )

  def call(self, x, scale_shift, rng: prng.Rng | None = None):
    y = self.conv_0(tf.nn.silu(self.gn_0(x)))
    scale, shift = tf.split(scale_shift, 2, axis=-1)
    y = tf.nn.silu(self.gn_1(y, scale, shift))
    y = self.conv_1(layers.dropout(y, self._drop, rng))
    skip = x if self.skip is None else self.skip(x)
    return (y + skip) * (1 / math.sqrt(2))


class Bottleneck(tf_keras.layers.Layer):
  """The transformer at the coarsest level; no residual around it."""

  def __init__(self, config: base.MaskDecoder, cross: bool, **kwargs):
    super().__init__(**kwargs)
    dim = config.transformer_dim
    self._dim = dim
    # Both norms have the groups of the transformer's width.
    self.gn_in = norms.GroupNorm(dim, name='gn_in')
    self.conv_in = layers.conv(dim, 1, name='conv_in')
    self.token = layers.dense(dim, name='token')
    self.transformer = [
      transformer.DecoderLayer(config, cross, name=f'transformer_{i}')
      for i in range(config.transformer_layers)
    ]
    self.gn_out = norms.GroupNorm(dim, name='gn_out')
    self.conv_out = layers.conv(dim, 1, name='conv_out')

  def call(self, x, token, keys_values, rng: prng.Rng | None = None):
    _, rows, cols, _ = x.shape
    x = self.conv_in(self.gn_in(x))
    x = tf.reshape(x, [-1, rows * cols, self._dim])
    position = transformer.sincos_position_embedding_2d(rows, cols, self._dim)
    x += tf.cast(position, x.dtype)
    token = tf.broadcast_to(token, [layers.batch_size(x), 1, self._dim])
    x = tf.concat([x, tf.cast(token, x.dtype)], 1)
    for layer, of_layer in zip(self.transformer, keys_values, strict=True):
      x = layer(x, of_layer, rng=rng)
    x = tf.reshape(x[:, :-1], [-1, rows, cols, self._dim])
    return self.conv_out(self.gn_out(x))


class ConvIn(tf_keras.layers.Layer):
  """The first convolution, as a sum of one part for each input.

  A convolution of concatenated inputs is the sum of a convolution of each. The
  part of x_t changes at every step, the parts of image and past masks do not.
  """

  def __init__(self, filters: int, kernel_size: int, inputs: Mapping[str, int]):
    """Takes the channels of every input, in the order of the kernel."""
    super().__init__(name='conv_in')
    self._filters, self._kernel_size = filters, kernel_size
    self.inputs = dict(inputs)

  def build(self, _):
    k = self._kernel_size
    self.kernel = self.add_weight(
      'kernel',
      [k, k, sum(self.inputs.values()), self._filters],
      initializer=layers.scaled_uniform(),
    )
    self.bias = self.add_weight('bias', [self._filters], initializer='zeros')
    self.built = True

  def part(self, x: tf.Tensor, name: str) -> tf.Tensor:
    """The part of an input, without bias."""
    channels = self.channels(name)
    kernel = self.kernel[:, :, channels.start : channels.stop]
    kernel = tf.cast(kernel, self.compute_dtype)
    return tf.nn.conv2d(tf.cast(x, self.compute_dtype), kernel, 1, 'SAME')

  def channels(self, name: str) -> range:
    """The input channels of the kernel that belong to an input."""
    names = list(self.inputs)
    sizes = [self.inputs[other] for other in names[: names.index(name)]]
    return range(sum(sizes), sum(sizes) + self.inputs[name])

  def channels_of(self, count: int) -> list[int] | None:
    """The input channels that a smaller kernel has; None if none fits.

    It may lack the estimate, the past masks, or both. With zeros for these the
    layer computes what the smaller one does.

    Args:
      count: The smaller kernel's input channels.
    """
    for lacking in (('past',), ('estimate',), ('estimate', 'past')):
      kept = [
        channel
        for name in self.inputs
        if name not in lacking
        for channel in self.channels(name)
      ]
      if len(kept) == count < sum(self.inputs.values()):
        return kept
    return None
