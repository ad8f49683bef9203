"""The network's two programs on random input: sampling, and training."""

import tensorflow as tf

from configs import base
from models import pix2seq_d
from training import ema
from training import optimizer as optimizer_lib


def sampling(model: pix2seq_d.Pix2SeqD, batch: int, sampler: base.Sampler):
  """A graph that samples, its image encoded first."""
  c = model.config
  image = tf.random.uniform([batch, *c.image_size, 3])
  noise = tf.random.normal([batch, *c.mask_size, 2 * c.bits])

  @tf.function(autograph=False)
  def sample():
    return model.sample(model.encode(image), noise, sampler)

  return sample


def training_step(
  model: pix2seq_d.Pix2SeqD, batch: int, experiment: base.Experiment
):
  """A graph of loss, gradients, clip, AdamW and averages."""
  c = model.config
  image = tf.random.uniform([batch, *c.image_size, 3])
  limit = min(c.num_classes, c.max_instances)
  label_map = tf.random.uniform([batch, *c.mask_size, 2], 0, limit, tf.int32)
  seeds = tf.zeros([batch, 2], tf.int64)
  average = pix2seq_d.Pix2SeqD(c)
  average.build_weights()
  variables = model.trainable_variables
  config = experiment.optimizer
  optimizer = optimizer_lib.AdamW(config, variables)
  step = tf.constant(0, tf.int64)

  @tf.function(autograph=False)
  def update():
    with tf.GradientTape() as tape:
      loss, _ = model.loss(image, label_map, seeds, experiment.loss)
    gradients = [
      tf.convert_to_tensor(g) for g in tape.gradient(loss, variables)
    ]
    norm = tf.linalg.global_norm(gradients)
    gradients = optimizer_lib.clip(gradients, norm, config.clip_norm)
    rate = tf.constant(config.learning_rate)
    optimizer.apply(variables, gradients, rate, step)
    ema.update(model, average, ema.decay(config, step))
    return loss

  return update


def gradients(
  model: pix2seq_d.Pix2SeqD, batch: int, experiment: base.Experiment
):
  """A graph of loss and gradients, of inputs that are given."""
  c = model.config
  specs = [
    tf.TensorSpec([batch, *c.image_size, 3]),
    tf.TensorSpec([batch, *c.mask_size, 2], tf.int32),
    tf.TensorSpec([batch, 2], tf.int64),
  ]

  @tf.function(autograph=False, input_signature=specs)
  def run(image, label_map, seeds):
    with tf.GradientTape() as tape:
      loss, _ = model.loss(image, label_map, seeds, experiment.loss)
    return tape.gradient(loss, model.trainable_variables)

  return run
