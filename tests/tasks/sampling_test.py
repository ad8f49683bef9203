"""Tests of sampling: several answers, and what is known of one."""

import numpy as np
import pytest
import tensorflow as tf
import tiny

from configs import base
from models import prng
from tasks import sampling

_SAMPLER = base.Sampler(steps=2, name='ddpm_small')


@pytest.fixture(scope='module')
def inputs():
  """A network, its encoded images, and their seeds."""
  model = tiny.build()
  images, _ = tiny.batch(model.config)
  seeds = prng.row_seeds(
    tf.constant(3, tf.int64), tf.constant([5, 8], tf.int64)
  )
  return model, model.encode(images), seeds


def test_seeds_of_answers_differ_and_do_not_depend_on_their_number():
  seeds = prng.row_seeds(
    tf.constant(3, tf.int64), tf.constant([5, 8, 9], tf.int64)
  )
  four = sampling.answer_seeds(seeds, 4)
  assert four.shape == [3, 4, 2]
  np.testing.assert_array_equal(four[:, 0], seeds)
  np.testing.assert_array_equal(sampling.answer_seeds(seeds, 2), four[:, :2])
  assert len({tuple(seed) for seed in four.numpy().reshape(-1, 2)}) == 12


@pytest.mark.slow
def test_the_first_of_several_answers_is_the_single_one(inputs):
  model, encoded, seeds = inputs
  single = model.sample(encoded, None, _SAMPLER, seeds=seeds)
  three = sampling.sample_several(*inputs, _SAMPLER, 3)
  assert three.shape == [2, 3, *single.shape[1:]]
  np.testing.assert_allclose(three[:, 0], single, atol=1e-4)
  for number in (1, 2):
    assert np.abs(three[:, number] - three[:, number - 1]).max() > 1e-2


@pytest.mark.slow
def test_what_is_known_is_kept_and_seen(inputs):
  model, encoded, seeds = inputs
  _, label_map = tiny.batch(model.config)
  known = np.zeros(label_map.shape[:3], bool)
  known[:, :, :8] = True
  part = {'given': label_map, 'known': tf.constant(known)}
  free = model.sample(encoded, None, _SAMPLER, seeds=seeds)
  free = model.decode(free).numpy()
  x_0 = model.sample(encoded, None, _SAMPLER, seeds=seeds, **part)
  found = model.decode(x_0).numpy()
  np.testing.assert_array_equal(found[known], label_map.numpy()[known])
  assert np.any(free[known] != label_map.numpy()[known])
  # The rest depends on it, and nothing on the labels of the rest.
  assert np.any(found[~known] != free[~known])
  part['given'] = tf.where(known[..., np.newaxis], label_map, 1)
  several = sampling.sample_several(*inputs, _SAMPLER, 2, **part)
  np.testing.assert_allclose(several[:, 0], x_0, atol=1e-4)
  second = model.decode(several[:, 1]).numpy()
  np.testing.assert_array_equal(second[known], label_map.numpy()[known])
