import numpy as np
import pytest
import tensorflow as tf
import tf_keras
import tiny

from configs import base
from models import checkpoints, pix2seq_d, prng

_SEEDS = tf.constant([[3, 4], [3, 5]], tf.int64)


def _loss(model, seeds=_SEEDS, config=None):
  images, label_maps = tiny.batch(model.config)
  return model.loss(images, label_maps, seeds, config or base.Loss())


# ---- Sizes of the published models. ----


def _millions(**changes):
  """Trainable parameters of the encoder, the merge, the decoder and all."""
  config = base.Model()
  for name, value in changes.items():
    setattr(config, name, value)
  model = pix2seq_d.Pix2SeqD(config)
  model.build_weights()
  parts = (model.encoder, model.encoder_merge, model.decoder, model)
  return [
    round(sum(w.shape.num_elements() for w in p.trainable_weights) / 1e6, 2)
    for p in parts
  ]


@pytest.mark.slow
@pytest.mark.parametrize(
  ('changes', 'expected'),
  [
    ({}, [46.90, 4.00, 43.59, 94.49]),
    (
      {'decoder': base.MaskDecoder(conv_in_kernel=3)},
      [46.90, 4.00, 43.87, 94.77],
    ),
    (
      {
        'encoder': base.ImageEncoder(
          resnet=base.ResNet(variant='standard'),
          dim=256,
          num_layers=6,
          num_heads=8,
          mlp_dim=1024,
        )
      },
      [28.77, 13.97, 42.02, 84.76],
    ),
  ],
  ids=['resnet-c', '3x3', 'resnet'],
)
def test_parameter_counts_of_the_paper(changes, expected):
  assert _millions(**changes) == expected


# ---- Conditioning. ----


def _parts(model):
  return {name.split('/')[0] for name in checkpoints.named_weights(model)}


def _crosses(model):
  return any('cross' in name for name in checkpoints.named_weights(model))


@pytest.mark.slow
@pytest.mark.parametrize(
  ('conditioning', 'parts', 'crosses'),
  [
    (('concat',), {'encoder', 'encoder_merge', 'decoder'}, False),
    (('attention',), {'encoder', 'decoder'}, True),
    (('concat', 'attention'), {'encoder', 'encoder_merge', 'decoder'}, True),
  ],
)
def test_conditioning_decides_the_parts_and_all_of_them_learn(
  conditioning, parts, crosses
):
  model = tiny.build(conditioning=conditioning)
  assert _parts(model) == parts
  assert _crosses(model) == crosses
  with tf.GradientTape() as tape:
    loss, _ = _loss(model)
  gradients = tape.gradient(loss, model.trainable_variables)
  for variable, gradient in zip(
    model.trainable_variables, gradients, strict=True
  ):
    assert np.all(np.isfinite(gradient)), variable.name
  noise = tiny.noise(model.config)
  images, _ = tiny.batch(model.config)
  gamma = tf.constant([0.5, 0.5])
  out = model.denoise(model.encode(images), noise, gamma)
  other = model.denoise(model.encode(1 - images), noise, gamma)
  assert np.abs(out - other).max() > 1e-3


@pytest.mark.slow
def test_unconditional_model_has_no_encoder_and_sees_no_image():
  model = tiny.build(unconditional=True)
  assert _parts(model) == {'decoder'}
  noise = tiny.noise(model.config)
  images, _ = tiny.batch(model.config)
  sampler = base.Sampler(steps=2)
  np.testing.assert_array_equal(
    model.sample(model.encode(images), noise, sampler),
    model.sample(model.encode(1 - images), noise, sampler),
  )
  with tf.GradientTape() as tape:
    loss, _ = _loss(model)
  gradients = tape.gradient(loss, model.trainable_variables)
  assert all(gradient is not None for gradient in gradients)


@pytest.mark.slow
def test_unconditional_model_is_the_full_one_at_features_of_zero():
  full = tiny.build()
  alone = tiny.build(unconditional=True)
  weights = checkpoints.named_weights(full)
  for name, weight in checkpoints.named_weights(alone).items():
    weight.assign(weights[name])
  c = full.config
  x_t, gamma = tiny.noise(c), tf.constant([0.3, 0.8])
  images, _ = tiny.batch(c)
  encoded = full.encode(images)
  zeros = tf.nest.map_structure(tf.zeros_like, encoded)
  expected = full.denoise(zeros, x_t, gamma)
  np.testing.assert_allclose(
    alone.denoise(alone.encode(images), x_t, gamma),
    expected,
    rtol=1e-5,
    atol=1e-5,
  )


@pytest.mark.slow
def test_video_model_from_an_image_model_is_that_model(tmp_path):
  image_model = tiny.build()
  prefix = tf.train.Checkpoint(model=image_model).write(str(tmp_path / 'ckpt'))
  video_model = tiny.build(seed=1, past_masks=2)
  report = checkpoints.load(video_model, prefix)
  assert report.extended == ['decoder/conv_in/kernel']
  assert not report.missing and not report.mismatched
  channels = image_model.decoder.conv_in.kernel.shape[2]
  kernel = video_model.decoder.conv_in.kernel.numpy()
  assert kernel.shape[2] == channels + 2 * 8
  assert not kernel[:, :, channels:].any()
  images, past = tiny.batch(image_model.config)
  past = tf.concat([past, past[::-1]], -1)
  x_t, gamma = tiny.noise(image_model.config), tf.constant([0.3, 0.8])
  np.testing.assert_array_equal(
    video_model.denoise(video_model.encode(images), x_t, gamma, past),
    image_model.denoise(image_model.encode(images), x_t, gamma),
  )


def test_past_masks_matter_in_their_order():
  model = tiny.build(past_masks=2)
  images, first = tiny.batch(model.config)
  _, second = tiny.batch(model.config, seed=1)
  x_t, gamma = tiny.noise(model.config), tf.constant([0.3, 0.8])
  encoded = model.encode(images)
  a = model.denoise(encoded, x_t, gamma, tf.concat([first, second], -1))
  b = model.denoise(encoded, x_t, gamma, tf.concat([second, first], -1))
  assert np.abs(a - b).max() > 1e-2


def test_absent_past_masks_are_all_void():
  model = tiny.build(past_masks=2)
  images, label_maps = tiny.batch(model.config)
  void = tf.tile(tf.zeros_like(label_maps), [1, 1, 1, 2])
  x_t, gamma = tiny.noise(model.config), tf.constant([0.3, 0.8])
  encoded = model.encode(images)
  np.testing.assert_array_equal(
    model.denoise(encoded, x_t, gamma),
    model.denoise(encoded, x_t, gamma, void),
  )


# ---- The loss. ----


def test_loss_is_a_function_of_its_seeds():
  model = tiny.build()
  first, parts = _loss(model)
  again, _ = _loss(model)
  assert float(first) == float(again)
  other, _ = _loss(model, _SEEDS + [[0, 0], [0, 1]])
  assert float(first) != float(other)
  assert set(parts) == {'loss_class', 'loss_instance'}
  mean = (parts['loss_class'] + parts['loss_instance']) / 2
  np.testing.assert_allclose(first, mean, rtol=1e-6)


def test_loss_draws_the_time_first_and_then_the_noise():
  model = tiny.build()
  images, label_maps = tiny.batch(model.config)
  rng = prng.Rng(_SEEDS)
  t, eps = rng.scalar(), rng.normal([16, 16, 8])
  given, _ = model.loss(images, label_maps, _SEEDS, base.Loss(), t=t, eps=eps)
  drawn, _ = _loss(model)
  assert float(given) == float(drawn)
  other, _ = model.loss(
    images, label_maps, _SEEDS, base.Loss(), t=1 - t, eps=eps
  )
  assert float(other) != float(drawn)


@pytest.mark.slow
@pytest.mark.parametrize(
  'rate',
  [
    'encoder__drop_path',
    'encoder__drop_units',
    'encoder__drop_attention',
    'decoder__dropout',
  ],
)
def test_every_dropout_depends_on_the_seed_alone(rate):
  model, without = tiny.build(**{rate: 0.4}), tiny.build()
  images, label_maps = tiny.batch(model.config)
  t, eps = tf.constant([0.3, 0.7]), tiny.noise(model.config)

  def loss(model, seed, training=True):
    value, _ = model.loss(
      images,
      label_maps,
      _SEEDS + seed,
      base.Loss(),
      t=t,
      eps=eps,
      training=training,
    )
    return float(value)

  assert loss(model, 0, False) == loss(without, 0, False)
  assert loss(model, 0) == loss(model, 0)
  # (Paths are few: these seeds do not drop the same by chance.)
  assert loss(model, 0) != loss(model, [[0, 0], [0, 2]])
  assert loss(without, 0) != loss(model, 0)


def test_examples_are_noised_each_by_itself():
  """Equal examples of a batch have other times and other noise."""
  model = tiny.build()
  seen = []
  decoder = model.decoder
  original = decoder.call

  def call(x_t, gamma, *arguments, **options):
    seen.append((x_t, decoder.condition_on_time(gamma).token))
    return original(x_t, gamma, *arguments, **options)

  decoder.call = call
  _loss(model)
  decoder.call = original
  ((x_t, token),) = seen
  assert np.abs(x_t[0] - x_t[1]).max() > 0.1
  assert np.abs(token[0] - token[1]).max() > 1e-2


def test_instance_size_weight_is_in_the_loss():
  model = tiny.build()
  weighted, _ = _loss(model, config=base.Loss(weight_p=1.0))
  even, _ = _loss(model, config=base.Loss(weight_p=0.0))
  assert abs(float(weighted) - float(even)) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize('name', ['softmax', 'sigmoid', 'x', 'eps'])
def test_every_parameterization_learns_and_samples(name):
  model = tiny.build(parameterization=name)
  with tf.GradientTape() as tape:
    loss, _ = _loss(model)
  gradients = tape.gradient(loss, model.trainable_variables)
  assert np.isfinite(tf.linalg.global_norm(gradients))
  images, _ = tiny.batch(model.config)
  encoded, noise = model.encode(images), tiny.noise(model.config)
  x_0 = model.sample(encoded, noise, base.Sampler(steps=2))
  assert x_0.shape == [2, 16, 16, 8]
  assert np.all(np.isfinite(x_0))


def test_schedules_reach_loss_and_sampler():
  model = tiny.build()
  images, _ = tiny.batch(model.config)
  noise = tiny.noise(model.config)
  losses, samples = [], []
  for name in ('paper', 'linear'):
    schedule = base.Schedule(name=name)
    losses.append(float(_loss(model, config=base.Loss(schedule=schedule))[0]))
    sampler = base.Sampler(steps=3, schedule=schedule)
    samples.append(model.sample(model.encode(images), noise, sampler))
  assert losses[0] != losses[1]
  assert np.abs(samples[0] - samples[1]).max() > 1e-3


@pytest.mark.slow
def test_frozen_encoder_stays_as_it_is():
  model = tiny.build(copy=1)
  frozen = {weight.ref(): weight.numpy() for weight in model.encoder.weights}
  model.freeze_encoder()
  learns = {weight.ref() for weight in model.trainable_variables}
  assert learns.isdisjoint(frozen)
  with tf.GradientTape() as tape:
    loss, _ = _loss(model)
  gradients = tape.gradient(loss, model.trainable_variables)
  assert all(gradient is not None for gradient in gradients)
  for weight, value in frozen.items():
    np.testing.assert_array_equal(weight.deref(), value)


def test_training_moves_batch_statistics_and_inference_does_not():
  model = tiny.build()
  moving = [w for w in model.weights if 'moving' in w.name]
  before = [weight.numpy() for weight in moving]
  images, _ = tiny.batch(model.config)
  encoded, noise = model.encode(images), tiny.noise(model.config)
  model.sample(encoded, noise, base.Sampler(steps=1))
  for weight, value in zip(moving, before, strict=True):
    np.testing.assert_array_equal(weight, value)
  _loss(model)
  for weight, value in zip(moving, before, strict=True):
    assert np.any(weight.numpy() != value)


# ---- Sampling. ----


def test_trajectory_ends_with_the_answer():
  model = tiny.build()
  images, _ = tiny.batch(model.config)
  noise, sampler = tiny.noise(model.config), base.Sampler(steps=3)
  encoded = model.encode(images)
  answer = model.sample(encoded, noise, sampler)
  trajectory = model.sample(encoded, noise, sampler, trajectory=True)
  assert trajectory.shape == [3, *answer.shape]
  np.testing.assert_array_equal(trajectory[-1], answer)
  label_map = model.decode(answer).numpy()
  assert label_map.dtype == np.int32
  assert label_map[..., 0].max() <= 6 and label_map[..., 1].max() <= 7


def test_ddpm_needs_noise_and_takes_it():
  model = tiny.build()
  images, _ = tiny.batch(model.config)
  noise, sampler = tiny.noise(model.config), base.Sampler(name='ddpm_small')
  encoded = model.encode(images)
  with pytest.raises(ValueError, match='needs noise_fn'):
    model.sample(encoded, noise, sampler)
  sampler.steps = 2

  def sample(seed):
    return model.sample(
      encoded,
      noise,
      sampler,
      noise_fn=lambda i: tf.random.stateless_normal(noise.shape, [seed, i]),
    )

  np.testing.assert_array_equal(sample(0), sample(0))
  assert np.abs(sample(0) - sample(1)).max() > 1e-3


# ---- Precision. ----


@pytest.fixture
def bfloat16():
  tf_keras.mixed_precision.set_global_policy('mixed_bfloat16')
  yield
  tf_keras.mixed_precision.set_global_policy('float32')


@pytest.mark.slow
def test_bfloat16_is_close_to_float32(bfloat16):
  half = tiny.build(copy=9)  # No other test's, whose policy is float32.
  assert half.decoder.conv_out.compute_dtype == 'bfloat16'
  tf_keras.mixed_precision.set_global_policy('float32')
  whole = tiny.build()
  for a, b in zip(half.weights, whole.weights, strict=True):
    assert a.dtype == tf.float32
    a.assign(b)
  results = []
  images, _ = tiny.batch(whole.config)
  noise = tiny.noise(whole.config)
  for model in (half, whole):
    with tf.GradientTape() as tape:
      loss, _ = _loss(model)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert loss.dtype == tf.float32
    results.append([float(loss), float(tf.linalg.global_norm(gradients))])
  np.testing.assert_allclose(*results, rtol=0.05)
  samples = [
    model.sample(model.encode(images), noise, base.Sampler(steps=1))
    for model in (half, whole)
  ]
  assert samples[0].dtype == tf.float32
  assert np.abs(samples[0] - samples[1]).mean() < 0.02


# ---- XLA. ----


@pytest.mark.slow
def test_xla_gives_the_same_gradient():
  model = tiny.build(
    decoder__dropout=0.1,
    encoder__drop_path=0.1,
    encoder__drop_units=0.1,
    encoder__drop_attention=0.1,
  )
  images, label_maps = tiny.batch(model.config)

  def gradients(seeds):
    with tf.GradientTape() as tape:
      loss, _ = model.loss(images, label_maps, seeds, base.Loss())
    return loss, tape.gradient(loss, model.trainable_variables)

  plain_loss, plain = tf.function(gradients, autograph=False)(_SEEDS)
  graph = tf.function(gradients, autograph=False, jit_compile=True)
  loss, compiled = graph(_SEEDS)
  np.testing.assert_allclose(loss, plain_loss, rtol=1e-5)
  # Rounding that lets a ReLU open or close changes its gradient by a jump.
  allowed = 1e-4 * tf.linalg.global_norm(plain)
  for a, b in zip(compiled, plain, strict=True):
    assert tf.norm(a - b) <= 0.05 * tf.norm(b) + allowed
  again, _ = graph(_SEEDS)
  other, _ = graph(_SEEDS + 1)
  assert float(again) == float(loss) != float(other)


@pytest.mark.slow
def test_xla_gives_the_same_sample():
  model = tiny.build()
  images, _ = tiny.batch(model.config)
  noise = tiny.noise(model.config)

  def sample(images, noise):
    encoded = model.encode(images)
    return model.sample(encoded, noise, base.Sampler(steps=4, td=0.5))

  np.testing.assert_allclose(
    tf.function(sample, autograph=False, jit_compile=True)(images, noise),
    tf.function(sample, autograph=False)(images, noise),
    atol=1e-4,
  )


def test_a_model_that_cannot_be():
  with pytest.raises(ValueError, match='multiples of 16') as error:
    pix2seq_d.Pix2SeqD(tiny.config(image_size=(30, 32)))
  assert '\n' not in str(error.value)
