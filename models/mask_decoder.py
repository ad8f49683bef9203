"""The mask decoder: a TransUNet that denoises analog bits (section 3.1).

The network is a function of x_t, of time and of the image. What depends on
time alone (`modulate`) and on the image alone (`condition`) is computed apart,
so that a sampler does so once and not at every step.
"""

import math
from typing import List, NamedTuple, Optional, Sequence, Tuple

import tensorflow as tf
import tf_keras

from configs import base
from models import image_encoder, layers, randomness, resnet


class Modulation(NamedTuple):
  """What the network takes from time, for N times.

  Attributes:
    blocks: scale and shift of every residual block, each `[N, 2 * channels]`.
    token: the time token of the transformer, `[N, 1, dim]`.
  """

  blocks: List[tf.Tensor]
  token: tf.Tensor

  def at(self, i: tf.Tensor) -> 'Modulation':
    """The i-th time alone, to be broadcast over a batch."""
    # XLA would take x[i : i + 1] for a slice of unknown length.
    return tf.nest.map_structure(lambda x: x[i][None], self)


class Context(NamedTuple):
  """What the network takes from the image and from past masks.

  Attributes:
    conv_in: their part of the first convolution, `[B, h, w, C]`.
    memory: keys and values of every cross attention; None without.
  """

  conv_in: tf.Tensor
  memory: List[Optional[layers.KeysValues]]


class TimeEmbedding(tf_keras.layers.Layer):
  """gamma `[N]` to `[N, 4 * dim]`."""

  def __init__(self, dim: int, time_scaling: float, **kwargs):
    # Half precision would round gamma * time_scaling.
    super().__init__(autocast=False, **kwargs)
    self._dim, self._time_scaling = dim, time_scaling
    self.dense_0 = layers.dense(4 * dim, name='dense_0')
    self.dense_1 = layers.dense(4 * dim, name='dense_1')

  def call(self, gamma):
    x = layers.position_code_1d(gamma * self._time_scaling, self._dim)
    return tf.nn.silu(self.dense_1(tf.nn.silu(self.dense_0(x))))


class Block(tf_keras.layers.Layer):
  """A residual block, modulated by time after its second norm."""

  def __init__(self, channels: int, drop: float, **kwargs):
    super().__init__(**kwargs)
    self._channels, self._drop = channels, drop
    self.conv_0 = layers.conv(channels, 3, name='conv_0')
    self.modulation = layers.dense(2 * channels, name='modulation')
    self.gn_1 = layers.GroupNorm(channels, name='gn_1')
    self.conv_1 = layers.conv(channels, 3, zero=True, name='conv_1')

  def build(self, shape):
    self.gn_0 = layers.GroupNorm(shape[-1], name='gn_0')
    self.skip = (
      layers.conv(self._channels, 1, name='skip')
      if shape[-1] != self._channels
      else None
    )

  def call(self, x, modulation, rng: Optional[randomness.Rng] = None):
    y = self.conv_0(tf.nn.silu(self.gn_0(x)))
    scale, shift = tf.split(modulation, 2, axis=-1)
    y = tf.nn.silu(self.gn_1(y, scale, shift))
    y = self.conv_1(layers.dropout(y, self._drop, rng))
    skip = x if self.skip is None else self.skip(x)
    return (y + skip) * (1 / math.sqrt(2))


class Middle(tf_keras.layers.Layer):
  """The transformer at the coarsest level; no residual around it."""

  def __init__(self, config: base.MaskDecoder, cross: bool, **kwargs):
    super().__init__(**kwargs)
    dim = config.transformer_dim
    self._dim = dim
    # Both norms have the groups of the transformer's width.
    self.gn_in = layers.GroupNorm(dim, name='gn_in')
    self.conv_in = layers.conv(dim, 1, name='conv_in')
    self.token = layers.dense(dim, name='token')
    self.transformer = [
      layers.DecoderLayer(
        dim, config.head_dim, cross, config.dropout, name=f'transformer_{i}'
      )
      for i in range(config.transformer_layers)
    ]
    self.gn_out = layers.GroupNorm(dim, name='gn_out')
    self.conv_out = layers.conv(dim, 1, name='conv_out')

  def call(self, x, token, memory, rng: Optional[randomness.Rng] = None):
    _, rows, cols, _ = x.shape
    x = self.conv_in(self.gn_in(x))
    x = tf.reshape(x, [-1, rows * cols, self._dim])
    code = layers.position_code_2d(rows, cols, self._dim)
    x += tf.cast(code, x.dtype)
    token = tf.broadcast_to(token, [layers.batch_size(x), 1, self._dim])
    x = tf.concat([x, tf.cast(token, x.dtype)], 1)
    for layer, keys_values in zip(self.transformer, memory, strict=True):
      x = layer(x, keys_values, rng)
    x = tf.reshape(x[:, :-1], [-1, rows, cols, self._dim])
    return self.conv_out(self.gn_out(x))


class ConvIn(tf_keras.layers.Layer):
  """The first convolution, in parts that add up.

  A convolution of concatenated inputs is the sum of one convolution of each:
  that of x_t changes at every step, those of image and past masks do not.
  """

  def __init__(self, filters: int, kernel_size: int, inputs: Sequence[int]):
    """Builds for inputs of so many channels each."""
    super().__init__(name='conv_in')
    self._filters, self._kernel_size = filters, kernel_size
    self._inputs = list(inputs)

  def build(self, _):
    k = self._kernel_size
    self.kernel = self.add_weight(
      'kernel',
      [k, k, sum(self._inputs), self._filters],
      initializer=layers.scaled_uniform(),
    )
    self.bias = self.add_weight('bias', [self._filters], initializer='zeros')
    self.built = True

  def part(self, x: tf.Tensor, index: int) -> tf.Tensor:
    """The share of the index-th input, without bias."""
    first = sum(self._inputs[:index])
    kernel = self.kernel[:, :, first : first + self._inputs[index]]
    kernel = tf.cast(kernel, self.compute_dtype)
    return tf.nn.conv2d(tf.cast(x, self.compute_dtype), kernel, 1, 'SAME')


class MaskDecoder(tf_keras.layers.Layer):
  """x_t `[B, h, w, 2 * n]` to the decoder's output `[B, h, w, channels]`."""

  def __init__(self, config: base.Model, channels: int, **kwargs):
    super().__init__(**kwargs)
    decoder = config.decoder
    self._mask_size = tuple(config.mask_size)
    self._token_dim = config.encoder.dim
    self._concat = 'concat' in config.conditioning
    self._cross = 'attention' in config.conditioning
    widths = [decoder.dim * m for m in decoder.channel_multipliers]
    bits = 2 * config.bits
    features = feature_channels(config) if self._concat else 0
    self.conv_in = ConvIn(
      widths[0],
      decoder.conv_in_kernel,
      [bits, features, bits * config.past_masks],
    )
    self.gn_in = layers.GroupNorm(widths[0], name='gn_in')
    self.time_embedding = TimeEmbedding(
      decoder.dim, decoder.time_scaling, name='time_embedding'
    )

    def blocks(side, level, count):
      return [
        Block(widths[level], decoder.dropout, name=f'{side}_{level}_{j}')
        for j in range(count)
      ]

    last = len(widths) - 1
    per_level = decoder.blocks_per_level
    self.down_blocks = [blocks('down', i, per_level) for i in range(last + 1)]
    self.down_convs = [
      layers.conv(widths[i], 3, 2, name=f'down_conv_{i}') for i in range(last)
    ]
    self.middle = Middle(decoder, self._cross, name='middle')
    # Level i of both lists is level i of the U-Net; they run from the last.
    self.up_blocks = [blocks('up', i, per_level + 1) for i in range(last + 1)]
    self.up_convs = [
      layers.conv(widths[i + 1], 3, name=f'up_conv_{i + 1}')
      for i in range(last)
    ]
    self.gn_out = layers.GroupNorm(widths[0], name='gn_out')
    self.conv_out = layers.conv(channels, 1, zero=True, name='conv_out')

  def _all_blocks(self) -> List[Block]:
    """All residual blocks, in the order of the computation."""
    down = sum(self.down_blocks, [])
    return down + sum(self.up_blocks[::-1], [])

  def modulate(self, gamma: tf.Tensor) -> Modulation:
    """What the network takes from gamma, float32 `[N]`."""
    embedding = self.time_embedding(gamma)
    return Modulation(
      [block.modulation(embedding) for block in self._all_blocks()],
      self.middle.token(embedding)[:, None],
    )

  def condition(
    self,
    encoded: Optional[image_encoder.Encoded],
    past_bits: Optional[tf.Tensor],
    batch: int | tf.Tensor,
  ) -> Context:
    """What the network takes from an image and from past masks.

    Args:
      encoded: the image; None stands for features of zero.
      past_bits: analog bits of the past masks, oldest first,
        `[B, h, w, past_masks * 2 * n]`; None where the model has none.
      batch: B.

    Returns:
      The context of all denoising steps.
    """
    if not self.conv_in.built:
      self.conv_in.build(None)
    bias = tf.cast(self.conv_in.bias, self.compute_dtype)
    conv_in = tf.broadcast_to(bias, [batch, *self._mask_size, bias.shape[0]])
    if self._concat and encoded is not None:
      conv_in += self.conv_in.part(encoded.features, 1)
    if past_bits is not None:
      conv_in += self.conv_in.part(past_bits, 2)
    if not self._cross:
      return Context(conv_in, [None] * len(self.middle.transformer))
    # Attention over any number of equal tokens returns that token's value.
    tokens = (
      tf.zeros([batch, 1, self._token_dim], self.compute_dtype)
      if encoded is None
      else encoded.tokens
    )
    return Context(
      conv_in,
      [
        layer.cross_attention.keys_values(tokens)
        for layer in self.middle.transformer
      ],
    )

  def call(
    self,
    x_t,
    modulation: Modulation,
    context: Context,
    rng: Optional[randomness.Rng] = None,
  ):
    modulations = iter(modulation.blocks)
    x = self.gn_in(self.conv_in.part(x_t, 0) + context.conv_in)
    skips = [x]
    for level, blocks in enumerate(self.down_blocks):
      for block in blocks:
        x = block(x, next(modulations), rng)
        skips.append(x)
      if level < len(self.down_convs):
        x = self.down_convs[level](x)
        skips.append(x)
    x = self.middle(x, modulation.token, context.memory, rng)
    for level in reversed(range(len(self.up_blocks))):
      for block in self.up_blocks[level]:
        x = tf.concat([x, skips.pop()], -1)
        x = block(x, next(modulations), rng)
      if level:
        x = self.up_convs[level - 1](layers.upsample(x, 2))
    return self.conv_out(tf.nn.silu(self.gn_out(x)))


def feature_channels(config: base.Model) -> int:
  """Channels of the image features that the decoder concatenates."""
  factor = image_encoder.merge_factor(config.image_size, config.mask_size)
  if factor > 1:
    return config.encoder.feature_dim
  backbone = config.encoder.resnet
  expansion = 4 if backbone.depth >= 50 else 1
  return int(64 * backbone.width_multiplier) * expansion


def check_sizes(config: base.Model) -> None:
  """Raises ValueError where sizes do not fit the strides or the norms."""
  stride = 2 ** (resnet.num_stages(config.encoder.resnet) + 1)
  levels: Tuple[int, ...] = config.decoder.channel_multipliers
  for name, size, unit in (
    ('image_size', config.image_size, stride),
    ('mask_size', config.mask_size, 2 ** (len(levels) - 1)),
  ):
    if len(size) != 2 or any(s <= 0 or s % unit for s in size):
      raise ValueError(
        f'{name} {tuple(size)} must be two multiples of {unit}, the largest '
        'stride of the network'
      )
  image_encoder.merge_factor(config.image_size, config.mask_size)
  _check_widths(config.decoder)


def _check_widths(config: base.MaskDecoder) -> None:
  dim, widths = config.dim, [config.dim * m for m in config.channel_multipliers]
  # What the norms see: each level alone, and joined to its skips on the way up.
  seen = [(w, w) for w in (*widths, *(2 * w for w in widths))]
  joined = zip(widths, [*widths[1:], config.transformer_dim], strict=True)
  seen += [(a + b, a + b) for a, b in joined]
  seen.append((config.transformer_dim, widths[-1]))
  for norm, width in seen:
    if width % layers.num_groups(norm):
      raise ValueError(
        f'model.decoder: {width} channels do not divide into the '
        f'{layers.num_groups(norm)} groups of a norm; choose a dim (now {dim}) '
        f'and a transformer_dim (now {config.transformer_dim}) that are '
        'multiples of 4, and of 32 where such sums of them exceed 128'
      )
