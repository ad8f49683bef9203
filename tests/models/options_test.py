"""Tests of what the authors' code offers beside the paper's recipes."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
import tiny

from configs import base
from models import bits, checkpoints, diffusion, losses

_SEEDS = tf.constant([[3, 4], [3, 5]], tf.int64)
_GAMMA = tf.constant([0.3, 0.8])


def _encoded(model):
  images, maps = tiny.batch(model.config)
  return images, maps, model.encode(images)


# ---- Self-conditioning. ----


@pytest.mark.parametrize('past_masks', [0, 2])
def test_a_model_without_an_estimate_is_extended(tmp_path, past_masks):
  before = tiny.build()
  prefix = tf.train.Checkpoint(model=before).write(str(tmp_path / 'ckpt'))
  changes = {'self_conditioning': True, 'past_masks': past_masks}
  model = tiny.build(seed=1, **changes)
  report = checkpoints.load(model, prefix)
  assert report.extended == ['decoder/conv_in/kernel']
  assert not report.missing and not report.mismatched
  kernel = model.decoder.conv_in.kernel.numpy()
  # Right after the channels of x_t.
  assert not kernel[:, :, 8:16].any() and kernel[:, :, 16:24].any()
  _, _, encoded = _encoded(before)
  x_t = tiny.noise(model.config)
  np.testing.assert_array_equal(
    model.denoise(encoded, x_t, _GAMMA, estimate=0.3 * tf.sign(x_t)),
    before.denoise(encoded, x_t, _GAMMA),
  )


def test_other_numbers_of_channels_are_not_extended(tmp_path):
  smaller = tiny.build(past_masks=1)
  prefix = tf.train.Checkpoint(model=smaller).write(str(tmp_path / 'ckpt'))
  report = checkpoints.load(tiny.build(seed=1, past_masks=2), prefix)
  assert 'decoder/conv_in/kernel' in ' '.join(report.mismatched)


@pytest.mark.slow
def test_the_estimate_is_the_models_own():
  model = tiny.build(self_conditioning=True)
  images, maps, encoded = _encoded(model)
  c, b = model.config, model.config.input_scaling
  x_0 = bits.to_analog(maps, c.bits, b)
  eps, gamma = tiny.noise(c), diffusion.gamma(_GAMMA, base.Schedule())
  gamma_t = gamma[:, None, None, None]
  x_t = diffusion.add_noise(x_0, gamma_t, eps)

  def expected(estimate):
    out = model.denoise(encoded, x_t, gamma, estimate=estimate)
    loss = model.parameterization.loss(out, maps, x_0, x_t, eps, gamma_t)
    return tf.reduce_mean(loss)

  first = model.denoise(encoded, x_t, gamma)
  estimate = model.parameterization.x_0(first, x_t, gamma_t)
  estimate = tf.clip_by_value(estimate, -b, b)
  values = []
  for rate, value in ((0.0, None), (1.0, estimate)):
    config = base.Loss(weight_p=0.0, self_conditioning_rate=rate)
    loss, _ = model.loss(
      images, maps, _SEEDS, config, t=_GAMMA, eps=eps, training=False
    )
    np.testing.assert_allclose(loss, expected(value), rtol=1e-5)
    values.append(float(loss))
  assert abs(values[0] - values[1]) > 1e-3


@pytest.mark.slow
def test_no_gradient_goes_through_the_estimate(monkeypatch):
  model = tiny.build(self_conditioning=True)
  images, maps, _ = _encoded(model)
  config = base.Loss(self_conditioning_rate=1.0)
  kept = []
  stop = tf.stop_gradient
  monkeypatch.setattr(tf, 'stop_gradient', lambda x: kept.append(x) or stop(x))

  def gradients():
    with tf.GradientTape() as tape:
      loss, _ = model.loss(
        images, maps, _SEEDS, config, t=_GAMMA, training=False
      )
    return tape.gradient(loss, model.trainable_variables)

  found = gradients()
  # The same, with the estimate as a constant.
  (estimate,) = [tf.constant(x.numpy()) for x in kept]
  monkeypatch.setattr(tf, 'stop_gradient', lambda x: estimate)
  for a, b in zip(found, gradients(), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_step_is_given_the_prediction_of_the_one_before():
  model = tiny.build(self_conditioning=True)
  _, _, encoded = _encoded(model)
  b, noise = model.config.input_scaling, tiny.noise(model.config)
  sampler = base.Sampler(steps=3, td=0.5)
  t_now, t_next = diffusion.sampling_times(3, 0.5)
  x_t, estimate = noise, tf.zeros_like(noise)
  for now, after in zip(t_now, t_next, strict=True):
    now, after = (diffusion.gamma(t, sampler.schedule) for t in (now, after))
    out = model.denoise(encoded, x_t, tf.fill([2], now), estimate=estimate)
    x_pred = model.parameterization.x_0(out, x_t, now)
    x_t = diffusion.ddim_step(x_t, x_pred, now, after, b)
    estimate = tf.clip_by_value(x_pred, -b, b)
  found = model.sample(encoded, noise, sampler)
  np.testing.assert_allclose(found, x_pred, rtol=1e-4, atol=1e-4)


# ---- Several noise draws. ----


@pytest.mark.slow
def test_the_loss_of_draws_is_the_mean_of_single_ones():
  model = tiny.build(past_masks=1)
  images, maps, _ = _encoded(model)
  past = maps[::-1]
  t = tf.constant([0.2, 0.9, 0.5, 0.4])
  eps = tiny.noise(model.config, size=4)

  def loss(draws, rows):
    found, _ = model.loss(
      images,
      maps,
      _SEEDS,
      base.Loss(noise_draws=draws),
      past,
      t=tf.gather(t, rows),
      eps=tf.gather(eps, rows),
      training=False,
    )
    return found

  single = (loss(1, [0, 2]) + loss(1, [1, 3])) / 2
  np.testing.assert_allclose(loss(2, [0, 1, 2, 3]), single, rtol=1e-5)


@pytest.mark.slow
def test_draws_differ_and_belong_to_their_example():
  model = tiny.build(encoder__drop_units=0.2, decoder__dropout=0.2)
  images, maps, _ = _encoded(model)
  config = base.Loss(noise_draws=3)

  def loss(order):
    found, _ = model.loss(
      *(tf.gather(x, order) for x in (images, maps, _SEEDS)), config
    )
    return found

  # Batch norm sees the same images, in whatever order.
  np.testing.assert_allclose(loss([0, 1]), loss([1, 0]), rtol=1e-5)
  one, _ = model.loss(images, maps, _SEEDS, base.Loss())
  assert abs(one - loss([0, 1])) > 1e-3


# ---- A stride at the decoder's entrance. ----


@pytest.mark.slow
def test_a_stride_makes_masks_of_the_same_size_from_a_smaller_network():
  model = tiny.build(decoder__stride=2)
  images, maps, encoded = _encoded(model)
  assert encoded.features.shape[1:3] == [8, 8]
  assert model.decoder.conv_in.inputs['x_t'] == 4 * 8
  x_t, eps = tiny.noise(model.config), tiny.noise(model.config, seed=2)
  out = model.denoise(encoded, x_t, _GAMMA)
  assert out.shape == [2, 16, 16, model.parameterization.channels]
  # The loss of features is that of the output.
  config = base.Loss(weight_p=0.0)
  c = model.config
  x_0 = bits.to_analog(maps, c.bits, c.input_scaling)
  gamma = diffusion.gamma(_GAMMA, config.schedule)
  x_t = diffusion.add_noise(x_0, gamma[:, None, None, None], eps)
  out = model.denoise(encoded, x_t, gamma)
  expected = model.parameterization.loss(out, maps, x_0, x_t, eps, gamma)
  arguments = images, maps, _SEEDS, config
  loss, _ = model.loss(*arguments, t=_GAMMA, eps=eps, training=False)
  np.testing.assert_allclose(loss, tf.reduce_mean(expected), rtol=1e-5)


def test_the_loss_of_strided_features_in_blocks(monkeypatch):
  softmax = losses.Softmax(3, 0.1)
  random = np.random.default_rng(0)
  features = tf.constant(random.normal(size=[2, 4, 3, 5]), tf.float32)
  labels = tf.constant(random.integers(0, 8, [2, 8, 6, 2]), tf.int32)
  conv = tf_keras.layers.Conv2D(4 * softmax.channels, 1)
  whole = softmax.loss_of_features(features, conv, labels)
  monkeypatch.setattr(losses, '_MAX_LOGITS', 500)
  assert softmax.num_blocks(features, 4) > 1
  np.testing.assert_allclose(
    softmax.loss_of_features(features, conv, labels), whole, rtol=1e-5
  )


def test_a_stride_that_does_not_fit():
  with pytest.raises(ValueError, match='mask_size .* decoder of stride 4'):
    tiny.build(decoder__stride=4, mask_size=(8, 8))


# ---- The scale of x_t. ----


@pytest.mark.slow
def test_a_normalized_input_has_no_scale():
  model = tiny.build(normalize_x_t=True)
  _, _, encoded = _encoded(model)
  x_t = tiny.noise(model.config)
  np.testing.assert_allclose(
    model.denoise(encoded, 3 * x_t, _GAMMA),
    model.denoise(encoded, x_t, _GAMMA),
    rtol=1e-4,
    atol=1e-5,
  )
