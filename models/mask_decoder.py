"""The mask decoder: a TransUNet that denoises analog bits (section 3.1).

`MaskDecoder.call` is the network: from x_t, gamma and an encoded image to a
prediction. A sampler calls it many times with one image, at times that are
known before; `MaskDecoder.precompute` computes what depends on these alone
once, and returns the rest of the network.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf
import tf_keras

from configs import base
from models import image_encoder, prng
from models.blocks import attention, decoder_layers, layers, norms

# Ways for the image to reach the decoder.
CONDITIONING = ('concat', 'attention')


class TimeConditioning(NamedTuple):
  """The time embedding, projected for every layer that takes it, for N times.

  Attributes:
    scale_shift: Scale and shift of the residual blocks by their names, each
      `[N, 2 * channels]`.
    token: The time token of the transformer, `[N, 1, dim]`.
  """

  scale_shift: dict[str, tf.Tensor]
  token: tf.Tensor

  def at(self, i: tf.Tensor) -> 'TimeConditioning':
    """The i-th time alone, which broadcasts over a batch."""
    # XLA would take x[i : i + 1] for a slice of unknown length.
    return tf.nest.map_structure(lambda x: x[i][None], self)


class ImageConditioning(NamedTuple):
  """The image and the past masks, projected for the layers that take them.

  Attributes:
    conv_in: Their part of the first convolution with its bias,
      `[B, h / stride, w / stride, C]`.
    keys_values: Keys and values of every cross attention; None without.
  """

  conv_in: tf.Tensor
  keys_values: list[attention.KeysValues | None]


class MaskDecoder(tf_keras.layers.Layer):
  """x_t `[B, h, w, 2 * n]` to the decoder's output `[B, h, w, channels]`."""

  def __init__(self, config: base.Model, channels: int, **kwargs):
    super().__init__(**kwargs)
    decoder = config.decoder
    self._mask_size = tuple(config.mask_size)
    self._token_dim = config.encoder.dim
    self._concat = 'concat' in config.conditioning
    widths = [decoder.dim * m for m in decoder.channel_multipliers]
    self._stride, self._normalize = decoder.stride, config.normalize_x_t
    bits = 2 * config.bits * decoder.stride**2
    self.conv_in = decoder_layers.ConvIn(
      widths[0],
      decoder.conv_in_kernel,
      {
        'x_t': bits,
        'estimate': bits if config.self_conditioning else 0,
        'features': image_encoder.feature_channels(config)
        if self._concat
        else 0,
        'past': bits * config.past_masks,
      },
    )
    self.gn_in = norms.GroupNorm(widths[0], name='gn_in')
    self.time_embedding = decoder_layers.TimeEmbedding(
      decoder.dim, decoder.time_scaling, name='time_embedding'
    )

    def blocks(side, level, count):
      return [
        decoder_layers.Block(
          widths[level], decoder.dropout, name=f'{side}_{level}_{j}'
        )
        for j in range(count)
      ]

    last = len(widths) - 1
    per_level = decoder.blocks_per_level
    self.down_blocks = [blocks('down', i, per_level) for i in range(last + 1)]
    self.down_convs = [
      layers.conv(widths[i], 3, 2, name=f'down_conv_{i}') for i in range(last)
    ]
    # The bottleneck. Stored checkpoints know it by this name.
    self.middle = decoder_layers.Bottleneck(
      decoder, 'attention' in config.conditioning, name='middle'
    )
    # Level i of both lists is level i of the U-Net; they run from the last.
    self.up_blocks = [blocks('up', i, per_level + 1) for i in range(last + 1)]
    self.up_convs = [
      layers.conv(widths[i + 1], 3, name=f'up_conv_{i + 1}')
      for i in range(last)
    ]
    self.gn_out = norms.GroupNorm(widths[0], name='gn_out')
    self.conv_out = layers.conv(
      channels * decoder.stride**2, 1, zero=True, name='conv_out'
    )

  def build(self, _):
    # It is used in parts and never called, so Keras does not do it. Under a
    # TPUStrategy no variable may be made within a function's graph.
    with tf.init_scope():
      self.conv_in.build(None)

  def call(
    self,
    x_t,
    gamma,
    encoded: image_encoder.Encoded | None,
    past_bits=None,
    rng: prng.Rng | None = None,
    estimate=None,
    head: bool = True,
  ):
    """The output for noisy bits.

    Args:
      x_t: Noisy analog bits, `[B, h, w, 2 * n]`.
      gamma: Shares of signal, float32 `[B]`.
      encoded: The images; None stands for features of zero.
      past_bits: Analog bits of the past masks, oldest first,
        `[B, h, w, past_masks * 2 * n]`; None where the model has none.
      rng: Random numbers for dropout; None for no dropout.
      estimate: An estimate of x_0, `[B, h, w, 2 * n]`, for a model with
        self-conditioning; None stands for zeros.
      head: Whether to apply the last convolution, `conv_out`.

    Returns:
      `[B, h, w, channels]`; without the head its input, at 1 / stride of that
      size.
    """
    image = self.condition_on_image(encoded, past_bits, layers.batch_size(x_t))
    time = self.condition_on_time(gamma)
    return self._unet(x_t, time, image, estimate, rng, head)

  def precompute(
    self,
    gammas: tf.Tensor,
    encoded: image_encoder.Encoded | None,
    past_bits: tf.Tensor | None,
    batch: int | tf.Tensor,
  ) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor | None], tf.Tensor]:
    """The network for known times and images.

    Args:
      gammas: gamma of every step, float32 `[steps]`.
      encoded: As for `call`.
      past_bits: As for `call`.
      batch: B.

    Returns:
      A function of x_t, the step's number i and an estimate of x_0, which
      computes `call(x_t, gammas[i], encoded, past_bits, estimate=estimate)`.
    """
    image = self.condition_on_image(encoded, past_bits, batch)
    time = self.condition_on_time(gammas)

    def denoise(x_t, i, estimate=None):
      return self._unet(x_t, time.at(i), image, estimate)

    return denoise

  def _unet(
    self,
    x_t,
    time: TimeConditioning,
    image: ImageConditioning,
    estimate=None,
    rng: prng.Rng | None = None,
    head: bool = True,
  ):
    if self._normalize:
      x_t /= tf.math.reduce_std(x_t, [1, 2, 3], keepdims=True)
    x = self._part(x_t, 'x_t') + image.conv_in
    if estimate is not None and self.conv_in.inputs['estimate']:
      x += self._part(estimate, 'estimate')
    x = self.gn_in(x)
    skips = [x]
    for level, blocks in enumerate(self.down_blocks):
      for block in blocks:
        x = block(x, time.scale_shift[block.name], rng=rng)
        skips.append(x)
      if level < len(self.down_convs):
        x = self.down_convs[level](x)
        skips.append(x)
    x = self.middle(x, time.token, image.keys_values, rng)
    for level in reversed(range(len(self.up_blocks))):
      for block in self.up_blocks[level]:
        x = tf.concat([x, skips.pop()], -1)
        x = block(x, time.scale_shift[block.name], rng=rng)
      if level:
        x = self.up_convs[level - 1](layers.upsample(x, 2))
    x = tf.nn.silu(self.gn_out(x))
    return self.head(x) if head else x

  def head(self, x):
    """The last convolution, of features `[B, h / stride, w / stride, C]`."""
    return layers.depth_to_space(self.conv_out(x), self._stride)

  def _part(self, x, name: str):
    """The part of an input of the mask's size in the first convolution."""
    return self.conv_in.part(layers.space_to_depth(x, self._stride), name)

  def condition_on_time(self, gamma: tf.Tensor) -> TimeConditioning:
    """Projects the time embeddings of gamma `[N]` for all layers."""
    embedding = self.time_embedding(gamma)
    blocks = [b for level in self.down_blocks for b in level]
    blocks += [b for level in self.up_blocks[::-1] for b in level]
    return TimeConditioning(
      {block.name: block.modulation(embedding) for block in blocks},
      self.middle.token(embedding)[:, None],
    )

  def condition_on_image(
    self,
    encoded: image_encoder.Encoded | None,
    past_bits: tf.Tensor | None,
    batch: int | tf.Tensor,
  ) -> ImageConditioning:
    """Projects images and past masks for all layers; arguments as above."""
    bias = tf.cast(self.conv_in.bias, self.compute_dtype)
    size = [side // self._stride for side in self._mask_size]
    conv_in = tf.broadcast_to(bias, [batch, *size, bias.shape[0]])
    if self._concat and encoded is not None:
      conv_in += self.conv_in.part(encoded.features, 'features')
    if past_bits is not None:
      conv_in += self._part(past_bits, 'past')
    if encoded is None:
      # One token of zeros gives what any number of them would.
      tokens = tf.zeros([batch, 1, self._token_dim], self.compute_dtype)
    else:
      tokens = encoded.tokens
    return ImageConditioning(
      conv_in, [layer.keys_values(tokens) for layer in self.middle.transformer]
    )
