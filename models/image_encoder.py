"""The image encoder: ResNet, transformer and pyramid merge (section 3.1)."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf
import tf_keras

from configs import base
from models import prng
from models.blocks import layers, norms, recompute, resnet, transformer


class Encoded(NamedTuple):
  """Encoded images, as the decoder takes them.

  Attributes:
    tokens: `[B, s, dim]`, for attention.
    features: `[B, h, w, c]` at mask size over the decoder's stride, for
      concatenation; None where the decoder does not concatenate.
  """

  tokens: tf.Tensor
  features: tf.Tensor | None


class ImageEncoder(tf_keras.layers.Layer):
  """The backbone `resnet`, and the transformer over its coarsest map.

  `resnet` makes of images `[B, H, W, 3]` in [0, 1] a list of feature maps,
  finest first (see `backbone_levels`); the layer itself makes of them the
  tokens `[B, s, dim]` of the coarsest.
  """

  def __init__(self, config: base.ImageEncoder, **kwargs):
    super().__init__(**kwargs)
    self._dim, self._drop_units = config.dim, config.drop_units
    self.resnet = resnet.ResNet(config.resnet, name='resnet')
    self.projection = tf_keras.layers.Dense(config.dim, name='projection')
    self.projection_ln = transformer.layer_norm('projection_ln')
    self.transformer = [
      transformer.EncoderLayer(config, name=f'transformer_{i}')
      for i in range(config.num_layers)
    ]
    self.output_ln = transformer.layer_norm('output_ln')

  def call(self, pyramid, rng: prng.Rng | None = None):
    _, rows, cols, channels = pyramid[-1].shape
    x = tf.reshape(pyramid[-1], [-1, rows * cols, channels])
    x = layers.dropout(x, self._drop_units, rng)
    x = self.projection_ln(self.projection(x))
    position = transformer.sincos_position_embedding_2d(rows, cols, self._dim)
    x += tf.cast(position, x.dtype)
    for layer in self.transformer:
      x = layer(x, rng=rng)
    return self.output_ln(x)


class MergeBlock(recompute.Recomputable):
  """Upsamples a coarse map and merges a finer one into it."""

  def __init__(self, channels: int, factor: int, **kwargs):
    super().__init__(**kwargs)
    self._factor = factor
    self.conv1 = layers.conv(channels, 1, name='conv1')
    self.gn1 = norms.GroupNorm(channels, name='gn1')
    self.conv2 = layers.conv(channels, 3, name='conv2')
    self.gn2 = norms.GroupNorm(channels, name='gn2')

  def call(self, coarse, fine=None):
    x = tf.nn.silu(self.gn1(self.conv1(coarse)))
    x = layers.upsample(x, self._factor)
    if fine is not None:
      x += fine
    return tf.nn.silu(self.gn2(self.conv2(x)))


class PyramidMerge(tf_keras.layers.Layer):
  """Merges a pyramid, from coarse to fine, into one map of the mask's size.

  The tokens replace the coarsest level. `blocks[i]` merges into level i; `last`
  brings the finest level to the mask's size, and is None where the mask has
  the finest level's size.
  """

  def __init__(self, channels: int, factor: int, **kwargs):
    """Takes the output's channels and how much finer than level 0 it is."""
    super().__init__(**kwargs)
    self._channels, self._factor = channels, factor

  def build(self, shapes):
    widths = [shape[-1] for shape in shapes]
    self.last = (
      MergeBlock(self._channels, self._factor, name='blocks_0')
      if self._factor > 1
      else None
    )
    self.blocks = [
      MergeBlock(width, 2, name=f'blocks_{i + 1}')
      for i, width in enumerate(widths[:-1])
    ]

  def call(self, pyramid):
    x = pyramid[-1]
    for block, fine in zip(self.blocks[::-1], pyramid[-2::-1], strict=True):
      x = block(x, fine)
    return x if self.last is None else self.last(x)


def replace_coarsest(
  pyramid: Sequence[tf.Tensor], tokens: tf.Tensor
) -> list[tf.Tensor]:
  """The pyramid with its tokens, as a grid, for the coarsest level."""
  _, rows, cols, _ = pyramid[-1].shape
  grid = tf.reshape(tokens, [-1, rows, cols, tokens.shape[-1]])
  return [*pyramid[:-1], grid]


def backbone_levels(config: base.ImageEncoder) -> resnet.Levels:
  """Channels and strides of the pyramid, finest first.

  Raises:
    ValueError: Where there is no such backbone.
  """
  return resnet.ResNet.levels(config.resnet)


def merge_factor(config: base.Model) -> int:
  """How many times as fine as the finest level the decoder is: 1, 2 or 4.

  Raises:
    ValueError: Where the mask is of no such size.
  """
  stride = backbone_levels(config.encoder).strides[0] / config.decoder.stride
  sizes = zip(config.mask_size, config.image_size, strict=True)
  factors = {stride * mask / image for mask, image in sizes}
  if len(factors) != 1 or not factors <= {1.0, 2.0, 4.0}:
    fitting = [f / stride for f in (4, 2, 1) if f <= stride]
    raise ValueError(
      f'mask_size {tuple(config.mask_size)} does not fit image_size '
      f'{tuple(config.image_size)} and a decoder of stride '
      f'{config.decoder.stride}: choose {" or ".join(map(str, fitting))} of '
      'the image size'
    )
  return int(factors.pop())


def feature_channels(config: base.Model) -> int:
  """Channels of the features that the decoder concatenates."""
  if merge_factor(config) > 1:
    return config.encoder.feature_dim
  return backbone_levels(config.encoder).channels[0]
