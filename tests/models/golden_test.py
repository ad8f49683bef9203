"""The network by number: checkpoints and arrays of another implementation.

Tolerances are those that the cases state.
"""

import functools
import re

import golden
import numpy as np
import pytest
import shared
import tensorflow as tf
import tiny

from configs import base
from models import bits, checkpoints, diffusion, losses
from models.blocks import recompute

pytestmark = pytest.mark.rewritten

_CASES = ('image_c4', 'video_c4')


_build = functools.cache(golden.build)


@pytest.fixture(params=_CASES)
def case(request):
  """A case's model with its averaged weights, and its arrays."""
  model = _build(request.param)
  checkpoints.load(model, golden.checkpoint(request.param))
  recompute.set_recompute(model, False)
  return model, golden.arrays(request.param)


def _assert_encoded(model, arrays):
  encoded = model.encode(arrays['images'])
  for actual, name in (
    (encoded.tokens, 'encoded'),
    (encoded.features, 'encoded_cat'),
  ):
    np.testing.assert_allclose(actual, arrays[name], rtol=1e-4, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize('weights', ['ema', 'online'])
@pytest.mark.parametrize('name', _CASES)
def test_both_copies_of_the_weights(name, weights):
  model = _build(name)
  tiny.randomize(model)
  report = checkpoints.load(model, golden.checkpoint(name), weights)
  assert len(report.loaded) == len(model.weights)
  assert not report.missing and not report.mismatched and not report.extended
  assert not report.unused
  _assert_encoded(model, golden.arrays(name))


@pytest.mark.parametrize('name', ['encoder_mask_quarter', 'encoder_mask_full'])
def test_masks_of_a_quarter_and_of_the_whole_of_the_image(name):
  model = golden.build(name)
  report = checkpoints.load(model, golden.checkpoint(name))
  assert not report.mismatched
  assert all(path.startswith('decoder/') for path in report.missing)
  _assert_encoded(model, golden.arrays(name))


@pytest.mark.slow
def test_encoder_of_a_detection_checkpoint():
  model = golden.build('pix2seq_ar_c4')
  report = checkpoints.load(model, str(shared.path('golden', 'pix2seq_ar_c4')))
  assert not report.mismatched
  of_encoder = [
    path
    for path in checkpoints.named_weights(model)
    if path.startswith('encoder/')
  ]
  assert report.loaded == of_encoder
  assert {path.split('/')[0] for path in report.missing} == {
    'encoder_merge',
    'decoder',
  }
  arrays = golden.arrays('pix2seq_ar_c4')
  pyramid = model.encoder.resnet(arrays['images'])
  tokens = model.encoder(pyramid)
  for actual, name in zip(
    [*pyramid, tokens], ('c2', 'c3', 'c4', 'encoded'), strict=True
  ):
    np.testing.assert_allclose(actual, arrays[name], rtol=1e-4, atol=2e-5)


def test_encoded_images(case):
  _assert_encoded(*case)


def test_time_and_weights_of_pixels(case):
  _, arrays = case
  np.testing.assert_allclose(
    diffusion.gamma(tf.constant(arrays['t']), base.Schedule()),
    arrays['gamma'],
    rtol=1e-5,
  )
  ids = tf.constant(arrays['label_map'][..., 1])
  np.testing.assert_allclose(
    losses.instance_size_weight(ids, 8, 0.2), arrays['mask_weight'], rtol=1e-5
  )


def test_denoiser(case):
  model, arrays = case
  gamma = arrays['gamma'][:, None, None, None]
  x_0 = bits.to_analog(tf.constant(arrays['label_map']), 8, 0.1)
  x_t = diffusion.add_noise(x_0, gamma, arrays['noise'])
  encoded = model.encode(arrays['images'])
  out = model.denoise(
    encoded, x_t, arrays['gamma'], arrays.get('cond_label_map')
  )
  np.testing.assert_allclose(
    model.parameterization.logits(out)[:, :8, :8],
    arrays['logits_top_left_8x8'],
    rtol=1e-4,
    atol=1e-3,
  )
  x_pred = model.parameterization.x_0(out, x_t, gamma)
  np.testing.assert_allclose(x_pred, arrays['x_pred'], rtol=1e-4, atol=5e-5)


def _loss(model, arrays, training):
  loss, _ = model.loss(
    arrays['images'],
    tf.constant(arrays['label_map']),
    tf.zeros([len(arrays['t']), 2], tf.int64),
    base.Loss(),
    arrays.get('cond_label_map'),
    t=tf.constant(arrays['t']),
    eps=arrays['noise'],
    training=training,
  )
  return loss


def test_loss(case):
  model, arrays = case
  loss = _loss(model, arrays, training=False)
  np.testing.assert_allclose(loss, arrays['loss'], rtol=1e-4)


@pytest.mark.parametrize('again', [False, True], ids=['kept', 'recomputed'])
def test_training_loss_and_gradients(case, again):
  model, arrays = case
  recompute.set_recompute(model, again)
  parts = {
    'encoder': model.encoder,
    'encoder_fuse': model.encoder_merge,
    'denoiser': model.decoder,
  }
  with tf.GradientTape() as tape:
    loss = _loss(model, arrays, training=True)
  gradients = tape.gradient(
    loss, {name: part.trainable_variables for name, part in parts.items()}
  )
  np.testing.assert_allclose(loss, arrays['train_loss'], rtol=1e-4)
  for part, values in gradients.items():
    np.testing.assert_allclose(
      tf.linalg.global_norm(values),
      arrays[f'train_grad_norm_{part}'],
      rtol=1e-4,
    )
  np.testing.assert_allclose(
    tf.linalg.global_norm(tf.nest.flatten(gradients)),
    arrays['train_grad_global_norm'],
    rtol=1e-4,
  )


@pytest.mark.slow
def test_samplers(case):
  model, arrays = case
  noise = tf.constant(arrays['init_noise'])
  encoded = model.encode(arrays['images'])
  seen = 0
  for key in arrays:
    match = re.fullmatch(r'(dd.*)_steps(\d+)_td([\d.]+)', key)
    if match is None:
      continue
    seen += 1
    sampler = base.Sampler(
      name=match[1], steps=int(match[2]), td=float(match[3])
    )
    x_0 = model.sample(
      encoded,
      noise,
      sampler,
      arrays.get('cond_label_map'),
      noise_fn=lambda step: noise,
    )
    np.testing.assert_allclose(x_0, arrays[key], rtol=1e-4, atol=1e-4)
    label_map = model.decode(x_0).numpy()
    if f'{key}_map' in arrays:
      equal = np.all(label_map == arrays[f'{key}_map'], axis=-1)
      assert equal.mean() >= 0.999, key
  assert (
    seen
    == {'image_c4': 5, 'video_c4': 4}[
      'video_c4' if model.config.past_masks else 'image_c4'
    ]
  )
