import numpy as np
import pytest
import tensorflow as tf
import tiny

from configs import base
from models import bits, diffusion

_KINDS = [
  {},
  {'past_masks': 2},
  {'conditioning': ('concat',)},
  {'conditioning': ('attention',), 'past_masks': 1},
  {'decoder__conv_in_kernel': 3, 'decoder__blocks_per_level': 2},
]


def _past_masks(model):
  """Random past masks of a model that has them, and their analog bits."""
  c = model.config
  if not c.past_masks:
    return None, None
  random = np.random.default_rng(4)
  shape = [2, *c.mask_size, 2 * c.past_masks]
  masks = tf.constant(random.integers(0, 7, shape), tf.int32)
  return masks, bits.to_analog(masks, c.bits, c.input_scaling)


@pytest.mark.slow
@pytest.mark.parametrize('kind', _KINDS, ids=str)
def test_the_precomputed_network_is_the_plain_one(kind):
  model = tiny.build(**kind)
  images, _ = tiny.batch(model.config)
  encoded, x_t = model.encode(images), tiny.noise(model.config)
  past_masks, past_bits = _past_masks(model)
  gammas = tf.constant([0.1, 0.6, 0.9])
  step = model.decoder.precompute(gammas, encoded, past_bits, 2)
  expected = model.denoise(encoded, x_t, tf.fill([2], 0.6), past_masks)
  assert np.std(expected) > 0.3
  np.testing.assert_allclose(step(x_t, 1), expected, rtol=1e-5, atol=1e-5)
  assert np.abs(step(x_t, 0) - expected).max() > 1e-2


@pytest.mark.parametrize('kind', _KINDS, ids=str)
def test_first_convolution_takes_all_inputs_concatenated(kind):
  model = tiny.build(**kind)
  images, _ = tiny.batch(model.config)
  encoded, x_t = model.encode(images), tiny.noise(model.config)
  _, past_bits = _past_masks(model)
  decoder, seen = model.decoder, []
  original = decoder.gn_in.call
  decoder.gn_in.call = lambda x: seen.append(x) or original(x)
  decoder(x_t, tf.constant([0.2, 0.9]), encoded, past_bits)
  decoder.gn_in.call = original
  inputs = [x for x in (x_t, encoded.features, past_bits) if x is not None]
  expected = tf.nn.conv2d(
    tf.concat(inputs, -1), decoder.conv_in.kernel, 1, 'SAME'
  )
  np.testing.assert_allclose(
    seen[0], expected + decoder.conv_in.bias, rtol=1e-5, atol=1e-5
  )


@pytest.mark.slow
@pytest.mark.parametrize('kind', _KINDS[:2], ids=str)
def test_sampling_calls_the_plain_network_at_every_step(kind):
  model = tiny.build(**kind)
  images, _ = tiny.batch(model.config)
  encoded, noise = model.encode(images), tiny.noise(model.config)
  past_masks, _ = _past_masks(model)
  sampler = base.Sampler(steps=5, td=1.0)
  b = model.config.input_scaling
  x_t = noise
  t_now, t_next = diffusion.sampling_times(5, 1.0)
  for now, after in zip(
    diffusion.paper_gamma(t_now), diffusion.paper_gamma(t_next), strict=True
  ):
    out = model.denoise(encoded, x_t, tf.fill([2], now), past_masks)
    x_pred = model.parameterization.x_0(out, x_t, now)
    x_t = diffusion.ddim_step(x_t, x_pred, now, after, b)
  actual = model.sample(encoded, noise, sampler, past_masks)
  assert np.std(x_pred) > 0.02
  np.testing.assert_allclose(actual, x_pred, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_fresh_decoder_says_nothing():
  """Its last convolution starts near zero, and so do the residual branches."""
  model = tiny.build()
  fresh = type(model)(model.config)
  fresh.build_weights()
  images, _ = tiny.batch(model.config)
  x_t = tiny.noise(model.config)
  out = fresh.denoise(fresh.encode(images), x_t, tf.constant([0.2, 0.9]))
  assert np.abs(out).max() < 1e-3
  x_0 = fresh.parameterization.x_0(out, x_t, None)
  assert np.abs(x_0).max() < 1e-3
