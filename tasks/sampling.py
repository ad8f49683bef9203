"""Sampling whose noise depends on an example, not on its place in a batch."""

import tensorflow as tf

from configs import base
from models import image_encoder, pix2seq_d, prng


def row_seeds(seed: tf.Tensor, *numbers: tf.Tensor) -> tf.Tensor:
  """A seed for each row of a batch.

  Args:
    seed: int64 scalar, of the whole evaluation.
    *numbers: int64 `[b]` each, which identify a row: an example's index, or
      the numbers of a video and of a frame in it.

  Returns:
    int64 `[b, 2]`.
  """

  seeds = tf.stack([seed, tf.zeros_like(seed)])[tf.newaxis]
  for number in numbers:
    seeds = prng.fold_in(seeds, number)
  return seeds


def sample(
  model: pix2seq_d.Pix2SeqD,
  encoded: image_encoder.Encoded | None,
  seeds: tf.Tensor,
  sampler: base.Sampler,
  past_masks: tf.Tensor | None = None,
  trajectory: bool = False,
  steps: tf.Tensor | None = None,
) -> tf.Tensor:
  """Samples with noise that is a function of each row's seed alone.

  Args:
    model: The network.
    encoded: The images, from `model.encode`.
    seeds: int64 `[b, 2]`, from `row_seeds`.
    sampler: Rule, steps, td and schedule.
    past_masks: int32 `[b, h, w, 2 P]`; None for a model without.
    trajectory: Keep the predictions of all steps.
    steps: int32 scalar in place of `sampler.steps`.

  Returns:
    As `Pix2SeqD.sample`.
  """
  config = model.config
  shape = [*config.mask_size, 2 * config.bits]

  def draw(step):
    return prng.normal(seeds, shape, step)

  return model.sample(
    encoded,
    draw(0),
    sampler,
    past_masks,
    noise_fn=lambda step: draw(step + 1),
    trajectory=trajectory,
    steps=steps,
  )
