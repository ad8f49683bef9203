"""ResNet v1.5 as the paper's image encoder uses it."""

import tensorflow as tf
import tf_keras

from configs import base
from models import layers

# Residual blocks per stage, by depth.
DEPTHS = {
  18: (2, 2, 2, 2),
  34: (3, 4, 6, 3),
  50: (3, 4, 6, 3),
  101: (3, 4, 23, 3),
  152: (3, 8, 36, 3),
  200: (3, 24, 36, 3),
}
VARIANTS = {'c4': 3, 'standard': 4}


class Block(tf_keras.layers.Layer):
  """A residual block: basic (3x3, 3x3) or bottleneck (1x1, 3x3, 1x1 to 4x).

  The stride is on the first 3x3; the last batch norm starts at zero.
  """

  def __init__(
    self, width: int, strides: int, bottleneck: bool, project: bool, **kwargs
  ):
    super().__init__(**kwargs)

    def unit(filters, size, strides, i, zero=False):
      return layers.ConvBatchNorm(
        filters, size, strides, zero, name=f'convs_{i}'
      )

    if bottleneck:
      out = 4 * width
      self.convs = [
        unit(width, 1, 1, 0),
        unit(width, 3, strides, 1),
        unit(out, 1, 1, 2, zero=True),
      ]
    else:
      out = width
      self.convs = [unit(width, 3, strides, 0), unit(out, 3, 1, 1, zero=True)]
    self.shortcut = (
      layers.ConvBatchNorm(out, 1, strides, name='shortcut')
      if project
      else None
    )

  def call(self, x, training=False):
    skip = x if self.shortcut is None else self.shortcut(x, training=training)
    for unit in self.convs[:-1]:
      x = tf.nn.relu(unit(x, training=training))
    return tf.nn.relu(self.convs[-1](x, training=training) + skip)


class ResNet(tf_keras.layers.Layer):
  """Images `[B, H, W, 3]` to the outputs of all stages, finest (/4) first."""

  def __init__(self, config: base.ResNet, **kwargs):
    super().__init__(**kwargs)
    if config.depth not in DEPTHS:
      raise ValueError(
        f'unknown ResNet depth {config.depth}: choose one of {list(DEPTHS)}'
      )
    width = int(64 * config.width_multiplier)
    self.stem = layers.ConvBatchNorm(width, 7, 2, name='stem')
    self.stages = []
    for i in range(num_stages(config)):
      self.stages.append(
        [
          Block(
            width * 2**i,
            strides=2 if i and not j else 1,
            bottleneck=config.depth >= 50,
            project=not j,
            name=f'stages_{i}_{j}',
          )
          for j in range(DEPTHS[config.depth][i])
        ]
      )

  def call(self, image, training=False):
    x = tf.nn.relu(self.stem(image, training=training))
    x = tf.nn.max_pool2d(x, 3, 2, 'SAME')
    pyramid = []
    for stage in self.stages:
      for block in stage:
        x = block(x, training=training)
      pyramid.append(x)
    return pyramid


def num_stages(config: base.ResNet) -> int:
  """How many stages there are; the last has stride 2**(stages + 1).

  Raises:
    ValueError: on an unknown variant.
  """
  if config.variant not in VARIANTS:
    raise ValueError(
      f"unknown ResNet variant '{config.variant}': choose one of "
      f'{list(VARIANTS)}'
    )
  return VARIANTS[config.variant]
