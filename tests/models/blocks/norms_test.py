import numpy as np
import pytest
import tensorflow as tf

from models.blocks import norms


def _draw(*shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
  ('width', 'channels', 'groups'), [(24, 24, 6), (32, 16, 8), (512, 256, 32)]
)
def test_group_norm(width, channels, groups):
  norm = norms.GroupNorm(width)
  x = 3 + _draw(2, 4, 5, channels)
  norm(x)
  gamma, beta = _draw(channels, seed=1), _draw(channels, seed=2)
  norm.gamma.assign(gamma)
  norm.beta.assign(beta)
  grouped = x.reshape(2, 20, groups, -1).astype(np.float64)
  mean = grouped.mean((1, 3), keepdims=True)
  variance = grouped.var((1, 3), keepdims=True)
  expected = ((grouped - mean) / np.sqrt(variance + 1e-5)).reshape(x.shape)
  expected = expected * gamma + beta
  np.testing.assert_allclose(norm(x), expected, atol=1e-4)
  scale, shift = _draw(2, channels, seed=3), _draw(2, channels, seed=4)
  modulated = expected * (1 + scale[:, None, None]) + shift[:, None, None]
  np.testing.assert_allclose(norm(x, scale, shift), modulated, atol=1e-4)


@pytest.mark.parametrize('mean', [0, 100, 1000])
@pytest.mark.parametrize('size', [(1, 1), (3, 2), (16, 24)])
def test_group_norm_far_from_zero(mean, size):
  x = mean + _draw(2, *size, 64)
  # A pixel that is unlike the rest, where the rough mean is taken.
  x[:, 0, 0] += 10
  grouped = x.reshape(2, -1, 16, 4).astype(np.float64)
  deviation = grouped - grouped.mean((1, 3), keepdims=True)
  variance = (deviation**2).mean((1, 3), keepdims=True)
  expected = (deviation / np.sqrt(variance + 1e-5)).reshape(x.shape)
  actual = norms.GroupNorm(64)(x)
  np.testing.assert_allclose(actual, expected, atol=1e-5 + 5e-7 * mean)


def test_group_norm_of_channels_that_do_not_divide():
  with pytest.raises(ValueError, match='130 channels do not divide into 32'):
    norms.GroupNorm(130)(tf.zeros([1, 2, 2, 130]))


def _batch_norm(filters=4, **kwargs):
  """A 1x1 convolution, the identity, so that only the norm is seen."""
  unit = norms.ConvBatchNorm(filters, 1, **kwargs)
  unit(tf.zeros([1, 1, 1, filters]))
  unit.kernel.assign(np.eye(filters)[None, None])
  unit.gamma.assign(_draw(filters, seed=1))
  unit.beta.assign(_draw(filters, seed=2))
  unit.moving_mean.assign(_draw(filters, seed=3))
  unit.moving_variance.assign(np.exp(_draw(filters, seed=4)))
  return unit


def _normalized(unit, x, mean, variance):
  x = (x - mean) / np.sqrt(variance + 1e-5)
  return x * unit.gamma.numpy() + unit.beta.numpy()


def test_batch_norm_in_training():
  unit = _batch_norm()
  x = 5 + 2 * _draw(6, 3, 4, 4)
  mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
  moving = [
    0.9 * unit.moving_mean.numpy() + 0.1 * mean,
    0.9 * unit.moving_variance.numpy() + 0.1 * variance,
  ]
  np.testing.assert_allclose(
    unit(x, training=True), _normalized(unit, x, mean, variance), atol=1e-5
  )
  np.testing.assert_allclose(unit.moving_mean, moving[0], rtol=1e-5)
  np.testing.assert_allclose(unit.moving_variance, moving[1], rtol=1e-5)


def test_batch_norm_in_inference():
  unit = _batch_norm()
  x = _draw(6, 3, 4, 4)
  moving = unit.moving_mean.numpy(), unit.moving_variance.numpy()
  np.testing.assert_allclose(
    unit(x), _normalized(unit, x, *moving), rtol=1e-4, atol=1e-5
  )
  np.testing.assert_array_equal(unit.moving_mean, moving[0])
  np.testing.assert_array_equal(unit.moving_variance, moving[1])


def test_batch_norm_of_two_replicas_is_that_of_the_global_batch(two_cpus):
  x = 5 + 2 * _draw(6, 3, 4, 4)
  x[3:] *= 3  # The replicas' own statistics differ.
  target = _draw(6, 3, 4, 4, seed=5)
  one = _batch_norm()
  with tf.GradientTape() as tape:
    expected = one(x, training=True)
    loss = tf.reduce_mean((expected - target) ** 2)
  expected_gradients = tape.gradient(loss, one.trainable_variables)
  with two_cpus.scope():
    two = _batch_norm()

  def value(context):
    i = context.replica_id_in_sync_group
    return tf.constant(np.stack([x, target])[:, 3 * i : 3 * i + 3])

  @tf.function
  def step(values):
    with tf.GradientTape() as tape:
      out = two(values[0], training=True)
      loss = tf.reduce_mean((out - values[1]) ** 2)
    gradients = tape.gradient(loss, two.trainable_variables)
    context = tf.distribute.get_replica_context()
    return out, context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)

  values = two_cpus.experimental_distribute_values_from_function(value)
  out, gradients = two_cpus.run(step, args=(values,))
  parts = two_cpus.experimental_local_results(out)
  np.testing.assert_allclose(np.concatenate(parts), expected, atol=1e-5)
  for a, b in zip(gradients, expected_gradients, strict=True):
    a = two_cpus.experimental_local_results(a)[0]
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
  for a, b in zip(two.weights, one.weights, strict=True):
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5)


@pytest.mark.parametrize('size', [(7, 9), (8, 6)])
def test_strided_convolution_pads_as_published(size):
  unit = norms.ConvBatchNorm(2, 3, strides=2)
  x = _draw(1, *size, 3)
  out = unit(x)
  padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
  kernel = unit.kernel.numpy()
  # Moving statistics are 0 and 1, so the norm is nearly the identity.
  for i, j in np.ndindex(*out.shape[1:3]):
    window = padded[0, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
    expected = np.tensordot(window, kernel, 3)
    np.testing.assert_allclose(out[0, i, j], expected, rtol=1e-4, atol=1e-5)
  assert out.shape == [1, -(-size[0] // 2), -(-size[1] // 2), 2]
