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


def test_distributions():
  rng = prng.Rng(_SEEDS)
  normal, uniform = rng.normal([100, 100]), rng.uniform([100, 100])
  assert np.mean(normal) == pytest.approx(0, abs=0.03)
  assert np.std(normal) == pytest.approx(1, abs=0.03)
  assert np.min(uniform) >= 0 and np.max(uniform) < 1
  assert np.mean(uniform) == pytest.approx(0.5, abs=0.01)
