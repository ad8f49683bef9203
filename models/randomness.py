"""Random numbers of the rows of a batch.

What a row gets is a function of its own seed, whatever rows stand beside it. So
a step does the same however a batch is shared out among devices or parts.
"""

from typing import Callable, Sequence

import tensorflow as tf

_SCALARS = 64


def draw(
  function: Callable, shape: Sequence[int], seeds: tf.Tensor, number: tf.Tensor
) -> tf.Tensor:
  """Draws for each row.

  Args:
    function: `tf.random.stateless_normal` or `tf.random.stateless_uniform`.
    shape: of a row's numbers.
    seeds: int64 `[b, 2]`.
    number: int64 scalar; tells apart what is drawn with the same seeds.

  Returns:
    float32 `[b, *shape]`.
  """

  def of_row(seed):
    seed = tf.random.experimental.stateless_fold_in(seed, number)
    return function(shape, seed)

  signature = tf.TensorSpec(shape, tf.float32)
  return tf.map_fn(of_row, seeds, fn_output_signature=signature)


class Rng:
  """Draws one after another; a fresh object repeats them in the same order."""

  def __init__(self, seeds: tf.Tensor):
    """Takes the rows' seeds, int64 `[b, 2]`."""
    self._seeds = seeds
    self._count = 0
    self._scalars = []

  def normal(self, shape: Sequence[int]) -> tf.Tensor:
    """Unit noise, float32 `[b, *shape]`."""
    return self._next(tf.random.stateless_normal, shape)

  def uniform(self, shape: Sequence[int]) -> tf.Tensor:
    """From 0 to 1, the latter excluded: float32 `[b, *shape]`."""
    return self._next(tf.random.stateless_uniform, shape)

  def scalar(self) -> tf.Tensor:
    """One number from 0 to 1 a row, the latter excluded: float32 `[b]`."""
    if not self._scalars:
      # Each draw is a loop over the rows; so this one is for many scalars.
      self._scalars = tf.unstack(self.uniform([_SCALARS]), axis=-1)
    return self._scalars.pop(0)

  def _next(self, function, shape):
    number = tf.constant(self._count, tf.int64)
    self._count += 1
    return draw(function, shape, self._seeds, number)
