"""Random numbers of the rows of a batch.

The numbers of a row are a function of the row's own seed, whatever rows stand
beside it. So a training step computes the same however its batch is shared
among devices or micro-batches.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

_SCALARS = 64


def draw(
  function: Callable, shape: Sequence[int], seeds: tf.Tensor, number: tf.Tensor
) -> tf.Tensor:
  """Draws numbers for each row.

  Args:
    function: `tf.random.stateless_normal` or `tf.random.stateless_uniform`.
    shape: Shape of a row's numbers.
    seeds: Seeds of the rows, int64 `[B, 2]`.
    number: Number of the draw, int64 scalar; draws with other numbers differ.

  Returns:
    float32 `[B, *shape]`.
  """

  def draw_row(seed):
    seed = tf.random.experimental.stateless_fold_in(seed, number)
    return function(shape, seed)

  signature = tf.TensorSpec(shape, tf.float32)
  return tf.map_fn(draw_row, seeds, fn_output_signature=signature)


class Rng:
  """Draws one after another; a new object repeats them in the same order."""

  def __init__(self, seeds: tf.Tensor):
    """Takes the seeds of the rows, int64 `[B, 2]`."""
    self._seeds = seeds
    self._count = 0
    self._scalars: list[tf.Tensor] = []

  def normal(self, shape: Sequence[int]) -> tf.Tensor:
    """Unit noise, float32 `[B, *shape]`."""
    return self._next(tf.random.stateless_normal, shape)

  def uniform(self, shape: Sequence[int]) -> tf.Tensor:
    """Uniform numbers in [0, 1), float32 `[B, *shape]`."""
    return self._next(tf.random.stateless_uniform, shape)

  def scalar(self) -> tf.Tensor:
    """One uniform number in [0, 1) for each row, float32 `[B]`."""
    if not self._scalars:
      # A draw is a loop over the rows, so one draw serves many scalars.
      self._scalars = tf.unstack(self.uniform([_SCALARS]), axis=-1)
    return self._scalars.pop(0)

  def _next(self, function: Callable, shape: Sequence[int]) -> tf.Tensor:
    number = tf.constant(self._count, tf.int64)
    self._count += 1
    return draw(function, shape, self._seeds, number)
