import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from models import bits, losses

_N, _B = 3, 0.2
_GAMMA = np.array([0.3, 0.9], np.float32)[:, None, None, None]


def _log_softmax(x):
  x = x - x.max(-1, keepdims=True)
  return x - np.log(np.exp(x).sum(-1, keepdims=True))


class _Case:
  """Labels with their analog bits, at noise of two strengths."""

  def __init__(self):
    random = np.random.default_rng(0)
    self.label_map = random.integers(0, 2**_N, [2, 4, 5, 2]).astype(np.int32)
    self.x_0 = bits.to_analog(tf.constant(self.label_map), _N, _B).numpy()
    self.eps = random.normal(size=self.x_0.shape).astype(np.float32)
    self.x_t = np.sqrt(_GAMMA) * self.x_0 + np.sqrt(1 - _GAMMA) * self.eps
    self.random = random

  def perfect(self, name):
    """The output of a decoder that knows the answer."""
    if name == 'softmax':
      logits = 1e3 * np.eye(2**_N, dtype=np.float32)[self.label_map]
      return logits.reshape(2, 4, 5, -1)
    v = np.sqrt(_GAMMA) * self.eps - np.sqrt(1 - _GAMMA) * self.x_0
    return {
      'sigmoid': 1e3 * self.x_0,
      'x': self.x_0,
      'eps': self.eps,
      'v': v,
    }[name]

  def loss(self, parameterization, out):
    return parameterization.loss(
      out, self.label_map, self.x_0, self.x_t, self.eps, _GAMMA
    )


@pytest.mark.parametrize('name', ['softmax', 'sigmoid', 'x', 'eps', 'v'])
def test_perfect_output_is_read_as_x_0_at_no_loss(name):
  case = _Case()
  parameterization = losses.parameterization(name, _N, _B)
  out = case.perfect(name)
  assert parameterization.channels == out.shape[-1]
  np.testing.assert_allclose(
    parameterization.x_0(out, case.x_t, _GAMMA), case.x_0, atol=1e-5
  )
  loss = case.loss(parameterization, out)
  assert loss.shape == [2, 4, 5, 2]
  np.testing.assert_allclose(loss, np.zeros([2, 4, 5, 2]), atol=1e-6)


@pytest.mark.parametrize('name', ['softmax', 'sigmoid', 'x', 'eps', 'v'])
def test_loss_is_its_formula(name):
  case = _Case()
  parameterization = losses.parameterization(name, _N, _B)
  out = case.random.normal(size=[2, 4, 5, parameterization.channels])
  out = out.astype(np.float32)
  if name == 'softmax':
    log_p = _log_softmax(out.reshape(2, 4, 5, 2, 2**_N))
    label = case.label_map[..., None]
    expected = -np.take_along_axis(log_p, label, -1)[..., 0]
  else:
    per_bit = {
      'sigmoid': np.log1p(np.exp(-out * case.x_0 / _B)),
      'x': (out - case.x_0) ** 2,
      'eps': (out - case.eps) ** 2,
      'v': (out - case.perfect('v')) ** 2,
    }[name]
    expected = per_bit.reshape(2, 4, 5, 2, _N).mean(-1)
  np.testing.assert_allclose(
    case.loss(parameterization, out), expected, rtol=2e-4
  )


@pytest.mark.parametrize('name', ['softmax', 'sigmoid', 'x', 'eps', 'v'])
@pytest.mark.parametrize('size', [0.0, 1e4])
def test_gradients_are_finite_at_any_output(name, size):
  case = _Case()
  parameterization = losses.parameterization(name, _N, _B)
  out = size * case.random.normal(size=[2, 4, 5, parameterization.channels])
  out = tf.constant(out, tf.float32)
  with tf.GradientTape() as tape:
    tape.watch(out)
    loss = tf.reduce_mean(case.loss(parameterization, out))
  assert np.isfinite(loss)
  assert np.all(np.isfinite(tape.gradient(loss, out)))


def test_half_precision_output_gives_a_float32_loss():
  case = _Case()
  for name in losses.PARAMETERIZATIONS:
    parameterization = losses.parameterization(name, _N, _B)
    out = tf.zeros([2, 4, 5, parameterization.channels], tf.bfloat16)
    assert case.loss(parameterization, out).dtype == tf.float32
    assert parameterization.x_0(out, case.x_t, _GAMMA).dtype == tf.float32


def test_unknown_parameterization():
  with pytest.raises(ValueError, match="unknown parameterization 'w'.*softmax"):
    losses.parameterization('w', 8, 0.1)


@pytest.mark.parametrize('p', [0.2, 1.0])
def test_weight_is_that_of_counts(p):
  random = np.random.default_rng(0)
  # Ids of image 0 come again in image 1, with other counts.
  ids = random.integers(0, 5, [3, 6, 7]) * random.integers(0, 2, [3, 6, 7])
  ids[2] = 255
  expected = np.empty(ids.shape)
  for image, weight in zip(ids, expected, strict=True):
    for value, count in zip(*np.unique(image, return_counts=True), strict=True):
      weight[image == value] = (1 / (count + 1)) ** p
    weight /= weight.mean()
  weight = losses.instance_size_weight(tf.constant(ids, tf.int32), 8, p)
  np.testing.assert_allclose(weight, expected, rtol=1e-5)
  np.testing.assert_allclose(
    np.mean(weight, axis=(1, 2)), np.ones(3), rtol=1e-5
  )


def test_no_weight_at_exponent_zero():
  ids = tf.constant(np.random.default_rng(0).integers(0, 9, [2, 4, 4]))
  weight = losses.instance_size_weight(tf.cast(ids, tf.int32), 4, 0.0)
  np.testing.assert_array_equal(weight, np.ones([2, 4, 4]))


@pytest.mark.parametrize('compiled', [False, True])
def test_cross_entropy_in_blocks_is_the_same(monkeypatch, compiled):
  rng = np.random.default_rng(0)
  head = tf_keras.layers.Conv2D(16, 1, bias_initializer='uniform')
  features = tf.constant(rng.normal(size=[2, 3, 5, 4]), tf.float32)
  labels = tf.constant(rng.integers(0, 8, [2, 3, 5, 2]), tf.int32)
  head.build(features.shape)
  meaning = losses.Softmax(3, 1.0)

  def run():
    with tf.GradientTape() as tape:
      tape.watch(features)
      loss = meaning.loss_of_features(features, head, labels)
      total = tf.reduce_sum(loss**2)
    return loss, tape.gradient(total, [features, *head.trainable_variables])

  assert meaning.num_blocks(features) == 1
  whole = run()
  monkeypatch.setattr(losses, '_MAX_LOGITS', 130)
  assert meaning.num_blocks(features) == 5
  blocks = tf.function(run, autograph=False, jit_compile=compiled)()
  for a, b in zip(tf.nest.flatten(whole), tf.nest.flatten(blocks), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
