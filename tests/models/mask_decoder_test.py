import numpy as np
import plain_decoder
import pytest
import tensorflow as tf
import tiny

from configs import base
from models import bits, diffusion, mask_decoder

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


@pytest.mark.parametrize('kind', _KINDS, ids=str)
def test_output_is_that_of_the_plain_decoder(kind):
  model = tiny.build(**kind)
  images, _ = tiny.batch(model.config)
  x_t, gamma = tiny.noise(model.config), tf.constant([0.2, 0.9])
  past_masks, past_bits = _past_masks(model)
  actual = model.denoise(images, x_t, gamma, past_masks)
  expected = plain_decoder.denoise(
    model, model.encode(images), x_t, gamma, past_bits
  )
  assert np.std(expected) > 0.3
  np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('kind', _KINDS[:2], ids=str)
def test_sample_is_that_of_the_plain_decoder(kind):
  model = tiny.build(**kind)
  images, _ = tiny.batch(model.config)
  noise = tiny.noise(model.config)
  past_masks, past_bits = _past_masks(model)
  sampler = base.Sampler(steps=5, td=1.0)
  b = model.config.input_scaling
  x_t = noise
  t_now, t_next = diffusion.sampling_times(5, 1.0)
  for now, after in zip(
    diffusion.paper_gamma(t_now), diffusion.paper_gamma(t_next), strict=True
  ):
    out = plain_decoder.denoise(
      model, model.encode(images), x_t, tf.fill([2], now), past_bits
    )
    x_pred = model.prediction.x_0(out, x_t, now)
    x_t = diffusion.ddim_step(x_t, x_pred, now, after, b)
  actual = model.sample(images, noise, sampler, past_masks)
  assert np.std(x_pred) > 0.02
  np.testing.assert_allclose(actual, x_pred, rtol=1e-5, atol=1e-5)


def test_one_time_is_broadcast_over_the_batch():
  model = tiny.build()
  images, _ = tiny.batch(model.config)
  x_t = tiny.noise(model.config)
  context = model.condition(model.encode(images), None, 2)
  modulation = model.decoder.modulate(tf.constant([0.1, 0.6, 0.9]))
  np.testing.assert_allclose(
    model.decoder(x_t, modulation.at(1), context),
    model.denoise(images, x_t, tf.constant([0.6, 0.6])),
    rtol=1e-5,
    atol=1e-5,
  )


def test_fresh_decoder_says_nothing():
  """Its last convolution starts near zero, and so do the residual branches."""
  model = tiny.build()
  fresh = type(model)(model.config)
  fresh.build_weights()
  images, _ = tiny.batch(model.config)
  x_t = tiny.noise(model.config)
  out = fresh.denoise(images, x_t, tf.constant([0.2, 0.9]))
  assert np.abs(out).max() < 1e-3
  x_0 = fresh.prediction.x_0(out, x_t, None)
  assert np.abs(x_0).max() < 1e-3


@pytest.mark.parametrize(
  ('changes', 'sentence'),
  [
    ({'image_size': (40, 32)}, r'image_size \(40, 32\) .* multiples of 16'),
    ({'image_size': (32,)}, r'image_size \(32,\) must be two'),
    ({'mask_size': (15, 16)}, r'mask_size \(15, 16\) .* multiples of 2'),
    ({'mask_size': (4, 4)}, r'mask_size \(4, 4\) does not fit'),
    ({'mask_size': (16, 32)}, r'mask_size \(16, 32\) does not fit'),
    ({'mask_size': (64, 64)}, r'mask_size \(64, 64\) does not fit'),
    ({'mask_size': (0, 0)}, r'mask_size \(0, 0\) must be two'),
  ],
)
def test_sizes_that_do_not_fit(changes, sentence):
  with pytest.raises(ValueError, match=sentence) as error:
    mask_decoder.check_sizes(tiny.config(**changes))
  assert '\n' not in str(error.value)
