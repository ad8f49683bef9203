"""Sampling whose noise depends on an example, not on its place in a batch."""

import tensorflow as tf

from configs import base
from models import image_encoder, pix2seq_d, prng


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

  The first answer is that of `Pix2SeqD.sample`; see `answer_seeds`.

  Args:
    model: The network.
    encoded: The images, from `model.encode`, which sees them once.
    seeds: int64 `[b, 2]`, from `prng.row_seeds`.
    sampler: Rule, steps, td and schedule.
    count: N, of answers to each image.
    past_masks: As for `Pix2SeqD.sample`.
    given: As for `Pix2SeqD.sample`.
    known: As for `Pix2SeqD.sample`.
    steps: As for `Pix2SeqD.sample`.

  Returns:
    x_0 `[b, N, h, w, 2 n]`.
  """
  seeds = tf.reshape(answer_seeds(seeds, count), [-1, 2])
  encoded, past_masks, given, known = pix2seq_d.repeat_rows(
    (encoded, past_masks, given, known), count
  )
  x_0 = model.sample(
    encoded,
    None,
    sampler,
    past_masks,
    given=given,
    known=known,
    steps=steps,
    seeds=seeds,
  )
  return tf.reshape(x_0, [-1, count, *x_0.shape[1:]])
