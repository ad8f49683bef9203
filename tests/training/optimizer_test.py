import numpy as np
import pytest
import tensorflow as tf
import tiny

from configs import base
from training import optimizer


def _rates(steps, total, **changes):
  config = base.Optimizer(learning_rate=2.0, end_factor=0.1, **changes)
  return [
    float(optimizer.learning_rate(config, total, tf.constant(step)))
    for step in steps
  ]


def test_constant_rate():
  np.testing.assert_allclose(
    _rates([0, 5, 99], 100, schedule='constant'), [2.0, 2.0, 2.0]
  )


def test_linear_rate_goes_down_to_the_end_factor():
  np.testing.assert_allclose(
    _rates([0, 5, 10], 10, schedule='linear'), [2.0, 1.1, 0.2], rtol=1e-6
  )


def test_cosine_rate():
  # Half way the cosine is at the mean of both ends; at a third, at 3/4.
  np.testing.assert_allclose(
    _rates([0, 4, 6, 12], 12, schedule='cosine'),
    [2.0, 0.2 + 0.75 * 1.8, 1.1, 0.2],
    rtol=1e-6,
  )


def test_warmup_rises_linearly_and_the_decay_follows_it():
  np.testing.assert_allclose(
    _rates([0, 1, 3, 4, 9, 14], 14, schedule='linear', warmup_steps=4),
    [0.5, 1.0, 2.0, 2.0, 1.1, 0.2],
    rtol=1e-6,
  )


def test_unknown_schedule():
  with pytest.raises(ValueError, match="'step'"):
    _rates([0], 10, schedule='step')


@pytest.mark.parametrize(
  ('clip_norm', 'expected'), [(1.0, [0.6, 0.8]), (10.0, [3, 4]), (0.0, [3, 4])]
)
def test_clip_bounds_the_norm_of_all_gradients(clip_norm, expected):
  gradients = [tf.constant([3.0]), tf.constant([[4.0]])]
  clipped = optimizer.clip(
    gradients, tf.linalg.global_norm(gradients), clip_norm
  )
  values = [float(tf.squeeze(gradient)) for gradient in clipped]
  np.testing.assert_allclose(values, expected, rtol=1e-6)


@pytest.mark.parametrize(
  ('jit_compile', 'base_fan_in'), [(False, 0), (True, 0), (False, 2)]
)
def test_adamw_equals_its_equations(jit_compile, base_fan_in):
  config = base.Optimizer(
    weight_decay=0.1, epsilon=1e-3, base_fan_in=base_fan_in
  )
  rate = 0.3
  random = np.random.default_rng(0)
  w = random.normal(size=[3, 2])
  variable = tf.Variable(w, dtype=tf.float32, name='kernel')
  adamw = optimizer.AdamW(config, [variable])

  @tf.function(jit_compile=jit_compile)
  def apply(gradient, step):
    adamw.apply([variable], [gradient], tf.constant(0.3), step)

  if base_fan_in:
    rate *= base_fan_in / 3
  m, v = np.zeros_like(w), np.zeros_like(w)
  for step in range(5):
    g = random.normal(size=w.shape)
    apply(tf.constant(g, tf.float32), tf.constant(step))
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    correction = np.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.9 ** (step + 1))
    w = w - rate * 0.1 * w
    w = w - rate * correction * m / (np.sqrt(v) + 1e-3)
  np.testing.assert_allclose(variable.numpy(), w, rtol=1e-4, atol=1e-5)


def test_rate_scale_is_of_the_inputs_of_a_kernel():
  model = tiny.build()
  scales = {
    v.name: optimizer.rate_scale(v, 8) for v in model.trainable_variables
  }

  def scale(end):
    (value,) = {s for name, s in scales.items() if name.endswith(end)}
    return value

  middle = 'decoder/middle/'
  assert scale('decoder/down_0_0/conv_0/kernel:0') == 8 / (9 * 8)
  assert scale('decoder/conv_out/kernel:0') == 1.0
  assert scale(f'{middle}conv_out/kernel:0') == 8 / 16
  assert scale(f'{middle}transformer_0/self_attention/query/kernel:0') == 8 / 16
  assert scale('self_attention/output/kernel:0') == 8 / 16
  assert {s for name, s in scales.items() if 'kernel' not in name} == {1.0}
  assert all(
    optimizer.rate_scale(v, 0) == 1.0 for v in model.trainable_variables
  )
