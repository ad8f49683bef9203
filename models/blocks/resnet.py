"""ResNet v1.5 as the paper's image encoder uses it."""

from typing import NamedTuple

import tensorflow as tf
import tf_keras

from configs import base, choices
from models.blocks import norms, recompute


class Depth(NamedTuple):
  """Residual blocks of a ResNet.

  Attributes:
    expansion: Output channels of a block as a multiple of its inner channels:
      1 for basic blocks, 4 for bottlenecks.
    blocks: Number of blocks in each stage.
  """

  expansion: int
  blocks: tuple[int, ...]


DEPTHS = {
  10: Depth(1, (1, 1, 1, 1)),
  18: Depth(1, (2, 2, 2, 2)),
  34: Depth(1, (3, 4, 6, 3)),
  50: Depth(4, (3, 4, 6, 3)),
  101: Depth(4, (3, 4, 23, 3)),
  152: Depth(4, (3, 8, 36, 3)),
  200: Depth(4, (3, 24, 36, 3)),
}
# The number of stages.
VARIANTS = {'c4': 3, 'standard': 4}


class Levels(NamedTuple):
  """The feature maps that a backbone returns, finest first."""

  channels: tuple[int, ...]
  strides: tuple[int, ...]


class Block(recompute.Recomputable):
  """A residual block: basic (3x3, 3x3) or bottleneck (1x1, 3x3, 1x1).

  The stride is on the first 3x3; the last batch norm starts at zero.
  """

  def __init__(
    self, width: int, expansion: int, strides: int, project: bool, **kwargs
  ):
    super().__init__(**kwargs)
    out = expansion * width
    if expansion > 1:
      units = [(width, 1, 1), (width, 3, strides), (out, 1, 1)]
    else:
      units = [(width, 3, strides), (out, 3, 1)]
    self.convs = [
      norms.ConvBatchNorm(*unit, zero=i == len(units) - 1, name=f'convs_{i}')
      for i, unit in enumerate(units)
    ]
    self.shortcut = (
      norms.ConvBatchNorm(out, 1, strides, name='shortcut') if project else None
    )

  def call(self, x, training=False):
    skip = x if self.shortcut is None else self.shortcut(x, training=training)
    for unit in self.convs[:-1]:
      x = tf.nn.relu(unit(x, training=training))
    return tf.nn.relu(self.convs[-1](x, training=training) + skip)


class ResNet(tf_keras.layers.Layer):
  """Images `[B, H, W, 3]` to the feature maps of `levels`."""

  def __init__(self, config: base.ResNet, **kwargs):
    super().__init__(**kwargs)
    depth, width = DEPTHS[config.depth], int(64 * config.width_multiplier)
    self.stem = norms.ConvBatchNorm(width, 7, 2, name='stem')
    self.stages = [
      [
        Block(
          width * 2**i,
          depth.expansion,
          strides=2 if i and not j else 1,
          project=not j,
          name=f'stages_{i}_{j}',
        )
        for j in range(depth.blocks[i])
      ]
      for i in range(VARIANTS[config.variant])
    ]

  def call(self, image, training=False):
    x = tf.nn.relu(self.stem(image, training=training))
    x = tf.nn.max_pool2d(x, 3, 2, 'SAME')
    pyramid = []
    for stage in self.stages:
      for block in stage:
        x = block(x, training=training)
      pyramid.append(x)
    return pyramid

  @staticmethod
  def levels(config: base.ResNet) -> Levels:
    """Channels and strides of the feature maps, without building a network.

    Raises:
      ValueError: For an unknown depth or variant.
    """
    depth = choices.choose(DEPTHS, config.depth, 'ResNet depth')
    stages = range(choices.choose(VARIANTS, config.variant, 'ResNet variant'))
    width = int(64 * config.width_multiplier) * depth.expansion
    return Levels(
      channels=tuple(width * 2**i for i in stages),
      strides=tuple(4 * 2**i for i in stages),
    )
