"""Sampling whose noise depends on an example, not on its place in a batch."""

import tensorflow as tf

from configs import base
from models import image_encoder, pix2seq_d, prng


def sample(
  model: pix2seq_d.Pix2SeqD,
  encoded: image_encoder.Encoded | None,
  seeds: tf.Tensor,
  sampler: base.Sampler,
  past_masks: tf.Tensor | None = None,
  trajectory: bool = False,
  given: tf.Tensor | None = None,
  known: tf.Tensor | None = None,
  steps: tf.Tensor | None = None,
) -> tf.Tensor:
  """Samples with noise that is a function of each row's seed alone.

  Args:
    model: The network.
    encoded: The images, from `model.encode`.
    seeds: int64 `[b, 2]`, from `prng.row_seeds`.
    sampler: Rule, steps, td and schedule.
    past_masks: int32 `[b, h, w, 2 P]`; None for a model without.
    trajectory: Keep the predictions of all steps.
    given: As for `Pix2SeqD.sample`.
    known: As for `Pix2SeqD.sample`.
    steps: int32 scalar in place of `sampler.steps`.

  Returns:
    As `Pix2SeqD.sample`.
  """
  return model.sample(
    encoded,
    None,
    sampler,
    past_masks,
    trajectory=trajectory,
    given=given,
    known=known,
    steps=steps,
    seeds=seeds,
  )


def answer_seeds(seeds: tf.Tensor, count: int) -> tf.Tensor:
  """Seeds of several answers to each row, of which the first is the row's own.

  Args:
    seeds: int64 `[b, 2]`, from `prng.row_seeds`.
    count: N, of answers; the n-th seed does not depend on it.

  Returns:
    int64 `[b, N, 2]`.
  """
  others = [prng.fold_in(seeds, number) for number in range(1, count)]
  return tf.stack([seeds, *others], axis=1)


def sample_several(
  model: pix2seq_d.Pix2SeqD,
  encoded: image_encoder.Encoded | None,
  seeds: tf.Tensor,
  sampler: base.Sampler,
  count: int,
  past_masks: tf.Tensor | None = None,
  given: tf.Tensor | None = None,
  known: tf.Tensor | None = None,
  steps: tf.Tensor | None = None,
) -> tf.Tensor:
  """Several answers to each image, in one batch; each has its own noise.

  The first answer is that of `sample`; see `answer_seeds`.

  Args:
    model: The network.
    encoded: The images, from `model.encode`, which sees them once.
    seeds: int64 `[b, 2]`, from `prng.row_seeds`.
    sampler: Rule, steps, td and schedule.
    count: N, of answers to each image.
    past_masks: As for `sample`.
    given: As for `sample`.
    known: As for `sample`.
    steps: As for `sample`.

  Returns:
    x_0 `[b, N, h, w, 2 n]`.
  """
  seeds = tf.reshape(answer_seeds(seeds, count), [-1, 2])
  encoded, past_masks, given, known = pix2seq_d.repeat_rows(
    (encoded, past_masks, given, known), count
  )
  x_0 = sample(
    model,
    encoded,
    seeds,
    sampler,
    past_masks,
    given=given,
    known=known,
    steps=steps,
  )
  return tf.reshape(x_0, [-1, count, *x_0.shape[1:]])
