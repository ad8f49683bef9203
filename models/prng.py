"""Random numbers of the rows of a batch.

The numbers of a row are a function of its own seed, not of the other rows. So a
training step computes the same however its batch is shared among devices or
micro-batches.

The generator is Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random
numbers: as easy as 1, 2, 3", 2011): a cipher of a counter, whose key is the
row's. All numbers of all rows are computed at once, by operations on uint32
that every backend has.
"""

import functools
import math
from collections.abc import Callable, Sequence

import tensorflow as tf

# The paper's rotations, and its constant for the third word of the key.
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_SCALARS = 64
# Fewer numbers than this XLA's compiler for CPUs computes without a loop, and
# takes seconds to compile.
_LEAST = 256

Words = tuple[tf.Tensor, tf.Tensor]


def threefry(key: Words, counter: Words) -> Words:
  """Threefry-2x32 with 20 rounds.

  Args:
    key: Two uint32 tensors.
    counter: Two uint32 tensors, which broadcast against the key's.

  Returns:
    Two uint32 tensors of random bits.
  """
  keys = (*key, key[0] ^ key[1] ^ tf.constant(_PARITY, tf.uint32))
  x, y = counter[0] + keys[0], counter[1] + keys[1]
  for i in range(5):
    for rotation in _ROTATIONS[i % 2]:
      x += y
      left = tf.bitwise.left_shift(y, tf.constant(rotation, tf.uint32))
      right = tf.bitwise.right_shift(y, tf.constant(32 - rotation, tf.uint32))
      y = (left | right) ^ x
    x += keys[(i + 1) % 3]
    y += keys[(i + 2) % 3] + tf.constant(i + 1, tf.uint32)
  return x, y


# XLA makes one loop of the more than a hundred operations on every number.
_compile = functools.partial(tf.function, autograph=False, jit_compile=True)


@_compile
def fold_in(seeds: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
  """New seeds, made of seeds and a number.

  Args:
    seeds: int64 `[B, 2]`.
    number: Integer, scalar or `[B]`.

  Returns:
    int64 `[B, 2]`, below 2**32.
  """
  (low_0, high_0), (low_1, high_1) = map(_words, tf.unstack(seeds, axis=-1))
  key = threefry((low_0, high_0), (low_1, high_1))
  mixed = threefry(key, _words(tf.cast(number, tf.int64)))
  return tf.stack([tf.cast(word, tf.int64) for word in mixed], -1)


def row_seeds(seed: tf.Tensor, *numbers: tf.Tensor) -> tf.Tensor:
  """A seed for each row of a batch.

  Args:
    seed: int64 scalar, of the whole evaluation; or `[b]`, of each row.
    *numbers: int64 `[b]` each, which identify a row: an example's index, or
      the numbers of a video and of a frame in it.

  Returns:
    int64 `[b, 2]`.
  """
  seeds = tf.reshape(tf.stack([seed, tf.zeros_like(seed)], -1), [-1, 2])
  for number in numbers:
    seeds = fold_in(seeds, number)
  return seeds


def normal(
  seeds: tf.Tensor, shape: Sequence[int], number: int | tf.Tensor = 0
) -> tf.Tensor:
  """Unit noise of rows, by the transform of Box and Muller.

  Args:
    seeds: int64 `[B, 2]`.
    shape: Shape of a row's numbers.
    number: Integer scalar, the number of the draw; others give other numbers.

  Returns:
    float32 `[B, *shape]`.
  """
  return _draw(_normal_pairs, seeds, shape, number)


def uniform(
  seeds: tf.Tensor, shape: Sequence[int], number: int | tf.Tensor = 0
) -> tf.Tensor:
  """Uniform numbers in [0, 1), multiples of 2**-24; see `normal`."""
  return _draw(_uniform_pairs, seeds, shape, number)


def _words(x: tf.Tensor) -> Words:
  """The low and the high word of int64 numbers."""
  low = tf.bitwise.bitwise_and(x, tf.constant(0xFFFFFFFF, tf.int64))
  high = tf.bitwise.right_shift(x, tf.constant(32, tf.int64))
  high = tf.bitwise.bitwise_and(high, tf.constant(0xFFFFFFFF, tf.int64))
  return tf.cast(low, tf.uint32), tf.cast(high, tf.uint32)


def _to_unit(bits: tf.Tensor) -> tf.Tensor:
  """uint32 to float32 in [0, 1)."""
  kept = tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32))
  return tf.cast(kept, tf.float32) * 2.0**-24


def _uniform_pairs(bits: Words) -> Words:
  return _to_unit(bits[0]), _to_unit(bits[1])


def _normal_pairs(bits: Words) -> Words:
  radius = tf.sqrt(-2.0 * tf.math.log(1.0 - _to_unit(bits[0])))
  angle = 2.0 * math.pi * _to_unit(bits[1])
  return radius * tf.cos(angle), radius * tf.sin(angle)


def _draw(
  to_pairs: Callable[[Words], Words],
  seeds: tf.Tensor,
  shape: Sequence[int],
  number: int | tf.Tensor,
) -> tf.Tensor:
  count = math.prod(shape)
  draw = _compiled(to_pairs, max(count, _LEAST))
  # A tensor, so that the draws of a step share one program.
  numbers = draw(seeds, tf.cast(number, tf.int64))[:, :count]
  return tf.reshape(numbers, [-1, *shape])


@functools.cache
def _compiled(to_pairs: Callable[[Words], Words], count: int):
  """A function of seeds and number to `count` numbers, float32 `[B, count]`."""

  @_compile
  def draw(seeds, number):
    mixed = fold_in(seeds, number)
    key = [tf.cast(word, tf.uint32) for word in tf.split(mixed, 2, -1)]
    counter = tf.cast(tf.range((count + 1) // 2), tf.uint32)[None]
    pairs = to_pairs(
      threefry((key[0], key[1]), (counter, tf.zeros_like(counter)))
    )
    return tf.concat(pairs, -1)[:, :count]

  return draw


class Rng:
  """Draws one after another; a new object repeats them in the same order."""

  def __init__(self, seeds: tf.Tensor):
    """Takes the seeds of the rows, int64 `[B, 2]`."""
    self._seeds = seeds
    self._count = 0
    self._scalars: list[tf.Tensor] = []

  def copy(self) -> 'Rng':
    """Another generator that draws the same from here on."""
    copied = Rng(self._seeds)
    copied._count, copied._scalars = self._count, list(self._scalars)
    return copied

  def normal(self, shape: Sequence[int]) -> tf.Tensor:
    """Unit noise, float32 `[B, *shape]`."""
    return normal(self._seeds, shape, self._next())

  def uniform(self, shape: Sequence[int]) -> tf.Tensor:
    """Uniform numbers in [0, 1), float32 `[B, *shape]`."""
    return uniform(self._seeds, shape, self._next())

  def scalar(self) -> tf.Tensor:
    """One uniform number in [0, 1) for each row, float32 `[B]`."""
    if not self._scalars:
      # One draw serves many.
      self._scalars = tf.unstack(self.uniform([_SCALARS]), axis=-1)
    return self._scalars.pop(0)

  def _next(self) -> int:
    self._count += 1
    return self._count
