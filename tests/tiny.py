"""The smallest network that has every part, and data for it."""

import functools
from typing import Tuple

import numpy as np
import tensorflow as tf

from configs import base
from models import pix2seq_d


def shrink(model: base.Model) -> None:
  """Makes a network as small as it gets; what it is made of stays."""
  model.image_size, model.mask_size = (32, 32), (16, 16)
  model.encoder.resnet.depth = 10
  model.encoder.resnet.width_multiplier = 0.125
  model.encoder.dim = 16
  model.encoder.num_layers = 1
  model.encoder.num_heads = 2
  model.encoder.mlp_dim = 32
  model.encoder.feature_dim = 8
  model.decoder.dim = 8
  model.decoder.channel_multipliers = (1, 2)
  model.decoder.transformer_dim = 16
  model.decoder.transformer_layers = 1
  model.decoder.head_dim = 8


def config(**changes) -> base.Model:
  """A model section of 7 classes, 8 ids and 4 bits, without dropout.

  Args:
    **changes: other values of fields; 'part__field' for those of a part.
  """
  model = base.Model(num_classes=7, max_instances=8, bits=4, input_scaling=0.3)
  shrink(model)
  model.encoder.drop_path = model.encoder.drop_units = 0.0
  _change(model, changes)
  return model


def experiment(**changes) -> base.Experiment:
  """Six small scenes for that network; names as for `config`."""
  whole = base.Experiment(
    model=config(),
    data=base.Data(shapes=base.Shapes(size=32, max_objects=2, eval_examples=6)),
    training=base.Training(
      steps=4, batch_size=4, log_every=2, checkpoint_every=2
    ),
    evaluation=base.Evaluation(
      batch_size=4, num_visualized=2, sampler=base.Sampler(steps=2)
    ),
  )
  _change(whole, changes)
  return whole


def _change(whole, changes) -> None:
  for name, value in changes.items():
    part = whole
    *parents, field = name.split('__')
    for parent in parents:
      part = getattr(part, parent)
    setattr(part, field, value)


def build(seed: int = 0, copy: int = 0, **changes) -> pix2seq_d.Pix2SeqD:
  """A network whose weights are all at random, none of them zero.

  Networks are built once and drawn anew by every call, which saves most of a
  test's time.

  Args:
    seed: of the weights.
    copy: tells apart networks alike that a test needs at the same time, or
      that it changes otherwise than by their weights.
    **changes: as for `config`.
  """
  model = _built(copy, tuple(sorted(changes.items())))
  randomize(model, seed)
  return model


@functools.cache
def _built(copy, changes):
  del copy
  model = pix2seq_d.Pix2SeqD(config(**dict(changes)))
  model.build_weights()
  return model


def randomize(model: pix2seq_d.Pix2SeqD, seed: int = 0) -> None:
  """Draws all weights, those that start at zero or one as well."""
  random = np.random.default_rng(seed)
  for weight in model.weights:
    name = weight.name.rsplit('/', 1)[-1]
    value = random.normal(size=weight.shape)
    if name.startswith(('gamma', 'moving_variance')):
      value = 1 + 0.2 * np.tanh(value)
    elif len(weight.shape) == 1:
      value = 0.2 * value
    else:
      value = value / np.sqrt(np.prod(weight.shape[:-1]))
    weight.assign(value)


def batch(
  model: base.Model, size: int = 2, seed: int = 0
) -> Tuple[tf.Tensor, tf.Tensor]:
  """Images and panoptic maps of a few rectangles."""
  random = np.random.default_rng(seed)
  images = random.uniform(size=[size, *model.image_size, 3])
  rows, columns = model.mask_size
  maps = np.zeros([size, rows, columns, 2], np.int32)
  for example in maps:
    for instance in range(1, 5):
      y, x = random.integers(rows), random.integers(columns)
      example[y : y + 6, x : x + 7] = random.integers(1, 7), instance
  return tf.constant(images, tf.float32), tf.constant(maps)


def noise(model: base.Model, size: int = 2, seed: int = 1) -> tf.Tensor:
  """Unit noise of the shape of analog bits."""
  random = np.random.default_rng(seed)
  shape = [size, *model.mask_size, 2 * model.bits]
  return tf.constant(random.normal(size=shape), tf.float32)
