"""Sampling whose noise depends on what a row is, not on where it stands."""

from typing import Optional

import tensorflow as tf

from configs import base
from models import image_encoder, pix2seq_d, prng


def row_seeds(seed: tf.Tensor, *numbers: tf.Tensor) -> tf.Tensor:
  """A seed for each row of a batch.

  Args:
    seed: int64 scalar, of the whole evaluation.
    *numbers: int64 `[b]` each, what the row is: an example's index, or the
      numbers of a video and of a frame in it.

  Returns:
    int64 `[b, 2]`.
  """

  def of_row(row):
    row_seed = tf.stack([seed, 0])
    for number in row:
      row_seed = tf.random.experimental.stateless_fold_in(row_seed, number)
    return row_seed

  return tf.map_fn(
    of_row, numbers, fn_output_signature=tf.TensorSpec([2], tf.int64)
  )


def sample(
  model: pix2seq_d.Pix2SeqD,
  encoded: Optional[image_encoder.Encoded],
  seeds: tf.Tensor,
  sampler: base.Sampler,
  past_masks: Optional[tf.Tensor] = None,
  trajectory: bool = False,
) -> tf.Tensor:
  """Samples with noise that is a function of each row's seed alone.

  Args:
    model: the network.
    encoded: the images, from `model.encode`.
    seeds: int64 `[b, 2]`, from `row_seeds`.
    sampler: rule, steps, td and schedule.
    past_masks: int32 `[b, h, w, 2 P]`; None for a model without.
    trajectory: keep the predictions of all steps.

  Returns:
    As `Pix2SeqD.sample`.
  """
  config = model.config
  shape = [*config.mask_size, 2 * config.bits]

  def draw(step):
    return prng.draw(
      tf.random.stateless_normal, shape, seeds, tf.cast(step, tf.int64)
    )

  return model.sample(
    encoded,
    draw(0),
    sampler,
    past_masks,
    noise_fn=lambda step: draw(step + 1),
    trajectory=trajectory,
  )
