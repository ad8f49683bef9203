import math

import numpy as np
import pytest
import tensorflow as tf

from models import prng

_SEEDS = tf.constant([[3, 4], [3, 5], [4, 4]], tf.int64)


def _draws(seeds):
  rng = prng.Rng(seeds)
  return [
    draw(shape).numpy()
    for draw, shape in (
      (lambda _: rng.scalar(), []),
      (rng.normal, [5, 2]),
      (rng.normal, [5, 2]),
      (rng.uniform, [7]),
    )
  ]


def test_rows_draw_the_same_in_any_batch():
  whole = _draws(_SEEDS)
  assert [draw.shape for draw in whole] == [(3,), (3, 5, 2), (3, 5, 2), (3, 7)]
  for rows in ([0], [2, 0], [1, 1, 2]):
    for part, draw in zip(_draws(tf.gather(_SEEDS, rows)), whole, strict=True):
      np.testing.assert_array_equal(part, draw[rows])


def test_rows_and_draws_differ():
  _, first, second, _ = _draws(_SEEDS)
  values = np.concatenate([first, second]).ravel()
  assert len(set(values.tolist())) == values.size


def test_scalars_do_not_repeat():
  rng = prng.Rng(_SEEDS)
  values = np.stack([rng.scalar() for _ in range(150)])
  assert values.shape == (150, 3)
  first = prng.Rng(_SEEDS).uniform([64])
  np.testing.assert_array_equal(values[:64], np.transpose(first))
  # Of so many float32 numbers a pair may be equal by chance.
  assert len(np.unique(values)) > 445


@pytest.mark.parametrize(
  'key, counter, expected',
  # The known answers that the authors of Threefry publish.
  [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
    (
      (0x13198A2E, 0x03707344),
      (0x243F6A88, 0x85A308D3),
      (0xC4923A9C, 0x483DF7A0),
    ),
  ],
)
def test_known_answers(key, counter, expected):
  words = [tf.constant(word, tf.uint32) for word in (*key, *counter)]
  found = prng.threefry(tuple(words[:2]), tuple(words[2:]))
  assert tuple(int(word) for word in found) == expected


def test_all_words_of_seeds_and_numbers_matter():
  words = [(0, 0), (1, 0), (0, 1), (1 << 32, 0), (0, 1 << 32), (-1, 0)]
  numbers = [0, 1, 1 << 32, -1]
  found = {
    tuple(prng.fold_in(tf.constant([seed], tf.int64), number).numpy()[0])
    for seed in words
    for number in numbers
  }
  assert len(found) == len(words) * len(numbers)
  seeds = tf.constant([[1, 2], [3, 4]], tf.int64)
  both = prng.fold_in(seeds, tf.constant([5, 6], tf.int64))
  for row, number in enumerate((5, 6)):
    np.testing.assert_array_equal(
      both[row], prng.fold_in(seeds[row : row + 1], number)[0]
    )


def _related_rows():
  """Seeds that differ in a single bit, or in the number of the draw alone."""
  seeds = tf.constant([[i, 0] for i in range(64)], tf.int64)
  seeds = tf.concat([seeds, seeds[:, ::-1]], 0)
  return tf.concat([prng.fold_in(seeds[1:], n) for n in range(4)], 0)


def test_uniform_numbers_fill_their_range_evenly():
  values = prng.uniform(_related_rows(), [500]).numpy()
  assert values.min() >= 0 and values.max() < 1
  # All 24 bits of a number are fair coins.
  integers = (values.ravel() * 2**24).astype(np.int64)
  bits = (integers[:, None] >> np.arange(24)) & 1
  np.testing.assert_allclose(bits.mean(0), 0.5, atol=4 * 0.5 / values.size**0.5)
  # Cells of pairs of neighbours, by chi square: a mean of 1023, deviation 45.
  cells = (values * 32).astype(int)
  pairs = cells[:, :-1:2] * 32 + cells[:, 1::2]
  counts = np.bincount(pairs.ravel(), minlength=1024)
  expected = pairs.size / 1024
  assert abs(((counts - expected) ** 2 / expected).sum() - 1023) < 4 * 45.3


def test_unit_noise_is_normal():
  values = prng.normal(_related_rows(), [501]).numpy().ravel().astype(float)
  size = values.size
  moments = [(values**n).mean() for n in (1, 2, 3, 4)]
  deviations = np.sqrt(np.array([1, 2, 15, 96]) / size)
  assert np.all(np.abs(moments - np.array([0, 1, 0, 3])) < 4 * deviations)
  # Kolmogorov and Smirnov: the largest distance of the distributions.
  normal = 0.5 * (1 + np.vectorize(math.erf)(np.sort(values) / 2**0.5))
  distance = np.abs(normal - (np.arange(size) + 0.5) / size).max()
  assert distance < 1.95 / size**0.5


def test_rows_draws_and_neighbours_are_independent():
  values = prng.normal(_related_rows(), [1000]).numpy()
  rows = len(values)
  between_rows = values @ values.T / 1000
  of_others = between_rows[~np.eye(rows, dtype=bool)]
  assert np.abs(of_others).max() < 6 / 1000**0.5
  assert of_others.std() == pytest.approx(1 / 1000**0.5, rel=0.05)
  # And of the numbers within a row, halves and neighbours above all.
  for lag in (1, 2, 499, 500, 501):
    products = (values[:, lag:] * values[:, :-lag]).mean()
    assert abs(products) < 4 / (rows * (1000 - lag)) ** 0.5


@pytest.mark.parametrize('draw', [prng.normal, prng.uniform])
def test_programs_of_xla_draw_the_same(draw):
  compiled = tf.function(
    lambda seeds: draw(seeds, [3, 7]), jit_compile=True, autograph=False
  )
  np.testing.assert_allclose(
    compiled(_SEEDS), draw(_SEEDS, [3, 7]), rtol=1e-5, atol=1e-6
  )
