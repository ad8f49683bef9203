import loop_fakes
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from training import state as state_lib
from training import trainer as trainer_lib


def _train(task, steps, strategy=None):
  """Trains from weights all alike; returns (state, trainer)."""
  strategy = strategy or tf.distribute.get_strategy()
  state = state_lib.build(task, strategy)
  trainer = trainer_lib.Trainer(task, state, strategy)
  for _ in range(steps):
    trainer.train(tf.constant(1))
  return state, trainer


def _assert_close(first, second, tolerance):
  for a, b in zip(first.model.weights, second.model.weights, strict=True):
    np.testing.assert_allclose(a.numpy(), b.numpy(), atol=tolerance)
  for a, b in zip(first.average.weights, second.average.weights, strict=True):
    np.testing.assert_allclose(a.numpy(), b.numpy(), atol=tolerance)


def test_training_lowers_the_loss():
  config = loop_fakes.config(training__steps=300)
  config.training.batch_size = 32
  task = loop_fakes.FakeTask(config)
  state = state_lib.build(task, tf.distribute.get_strategy())
  trainer = trainer_lib.Trainer(task, state, tf.distribute.get_strategy())
  trainer.train(tf.constant(20))
  before = trainer.output['loss']
  trainer.train(tf.constant(280))
  assert trainer.output['loss'] < 0.6 * before
  assert trainer.output['loss'] == trainer.output['squared']
  assert int(state.step) == 300


@pytest.mark.parametrize('warmup', [False, True])
def test_average_is_the_recursion_over_all_weights(warmup):
  task = loop_fakes.FakeTask(
    loop_fakes.config(optimizer__ema_decay=0.8, optimizer__ema_warmup=warmup)
  )
  strategy = tf.distribute.get_strategy()
  state = state_lib.build(task, strategy)
  trainer = trainer_lib.Trainer(task, state, strategy)
  expected = [weight.numpy() for weight in state.model.weights]
  for a, b in zip(state.average.weights, expected, strict=True):
    np.testing.assert_array_equal(a.numpy(), b)
  for n in range(5):
    trainer.train(tf.constant(1))
    decay = min(0.8, (1 + n) / (10 + n)) if warmup else 0.8
    expected = [
      decay * a + (1 - decay) * w.numpy()
      for a, w in zip(expected, state.model.weights, strict=True)
    ]
  names = [weight.name for weight in state.average.weights]
  assert any('moving_variance' in name for name in names)
  for a, b in zip(state.average.weights, expected, strict=True):
    np.testing.assert_allclose(a.numpy(), b, rtol=1e-5, atol=1e-6)


def test_accumulation_equals_the_whole_batch():
  states, outputs = [], []
  for accumulation_steps in (1, 4):
    config = loop_fakes.config(
      optimizer__accumulation_steps=accumulation_steps, optimizer__clip_norm=0.5
    )
    state, trainer = _train(loop_fakes.FakeTask(config, batch_norm=False), 4)
    states.append(state)
    outputs.append(trainer.output)
  _assert_close(*states, tolerance=1e-5)
  for name in ('loss', 'absolute', 'gradient_norm'):
    assert outputs[0][name] == pytest.approx(outputs[1][name], rel=1e-5)


@pytest.mark.parametrize('accumulation_steps', [1, 2])
def test_two_replicas_equal_one_device(two_cpus, accumulation_steps):
  config = loop_fakes.config(
    optimizer__accumulation_steps=accumulation_steps, optimizer__clip_norm=0.5
  )
  one, _ = _train(loop_fakes.FakeTask(config), 3)
  two, trainer = _train(loop_fakes.FakeTask(config), 3, two_cpus)
  if accumulation_steps == 1:
    # Rounding only: sums over the batch are taken in another order. Adam
    # divides by the gradient's size, which makes more of the rounding.
    _assert_close(one, two, tolerance=2e-4)
  copies = two_cpus.experimental_local_results(two.model.weights[0])
  np.testing.assert_array_equal(copies[0].numpy(), copies[1].numpy())
  assert trainer.first_bad_step() == -1


def test_jit_compile_gives_the_same_update(two_cpus):
  states = []
  for jit_compile, *strategy in ((False,), (True,), (True, two_cpus)):
    config = loop_fakes.config(training__jit_compile=jit_compile)
    states.append(_train(loop_fakes.FakeTask(config), 3, *strategy)[0])
  for state in states[1:]:
    _assert_close(states[0], state, tolerance=2e-4)


@pytest.mark.slow
def test_bfloat16_keeps_float32_weights():
  config = loop_fakes.config(training__precision='bfloat16')
  state, trainer = _train(loop_fakes.FakeTask(config), 3)
  tf_keras.mixed_precision.set_global_policy('float32')
  assert state.model.layers[0].compute_dtype == 'bfloat16'
  assert all(weight.dtype == tf.float32 for weight in state.model.weights)
  assert np.isfinite(trainer.output['loss'])


def test_first_step_not_finite_is_named():
  task = loop_fakes.FakeTask(loop_fakes.config(), nan_at=2)
  state = state_lib.build(task, tf.distribute.get_strategy())
  trainer = trainer_lib.Trainer(task, state, tf.distribute.get_strategy())
  trainer.train(tf.constant(2))
  assert trainer.first_bad_step() == -1
  trainer.train(tf.constant(4))
  assert trainer.first_bad_step() == 3


def test_weights_out_of_the_loss_are_an_error():
  class Forgetful(loop_fakes.FakeTask):
    def loss(self, model, batch, compile_parts=False):
      loss = tf.reduce_mean(model.layers[0](batch['x']) ** 2)
      return loss, {'squared': loss, 'absolute': loss}

  with pytest.raises(ValueError, match='does not depend on 4 trainable'):
    _train(Forgetful(loop_fakes.config()), 1)
