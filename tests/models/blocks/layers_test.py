import numpy as np
import pytest
import tensorflow as tf

from models import prng
from models.blocks import layers


def _draw(*shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize('factor', [1, 2, 4])
def test_upsample_is_nearest(factor):
  x = _draw(2, 3, 4, 5)
  expected = tf.image.resize(x, [3 * factor, 4 * factor], 'nearest')
  np.testing.assert_array_equal(layers.upsample(x, factor), expected)


def _rng(rows):
  seeds = tf.stack([tf.ones_like(rows), rows], axis=-1)
  return prng.Rng(tf.cast(seeds, tf.int64))


def test_dropout_is_off_without_seeds_and_keeps_the_mean_with_them():
  x = tf.ones([4, 50, 50])
  assert layers.dropout(x, 0.5, None) is x
  assert layers.dropout(x, 0.0, _rng(tf.range(4))) is x
  dropped = layers.dropout(x, 0.2, _rng(tf.range(4))).numpy()
  assert set(np.unique(dropped)) == {np.float32(0), np.float32(1.25)}
  assert dropped.mean() == pytest.approx(1, abs=0.03)


def test_drop_path_drops_whole_examples():
  x = tf.ones([200, 3, 4])
  dropped = layers.drop_path(x, 0.25, _rng(tf.range(200))).numpy()
  assert np.all(dropped == dropped[:, :1, :1])
  assert 0.1 < np.mean(dropped[:, 0, 0] == 0) < 0.4


@pytest.mark.parametrize('drop', [layers.dropout, layers.drop_path])
def test_what_is_dropped_of_a_row_goes_with_it(drop):
  x, rows = _draw(40, 3, 4), tf.constant([7, 3, 30, 31])

  def twice(x, rows):
    rng = _rng(rows)
    return drop(drop(x, 0.3, rng), 0.3, rng)

  whole = twice(x, tf.range(40))
  np.testing.assert_array_equal(
    twice(tf.gather(x, rows), rows), tf.gather(whole, rows)
  )
  assert (whole.numpy() == 0).any() and (whole.numpy() != 0).any()
