import numpy as np
import pytest
import tensorflow as tf

from configs import base
from models import diffusion

_SCHEDULES = [
  base.Schedule(name='paper'),
  base.Schedule(name='linear'),
  base.Schedule(name='cosine'),
  base.Schedule(name='cosine', start=0.2, end=1.0, tau=2.0),
  base.Schedule(name='sigmoid', start=-3.0, end=3.0, tau=0.9),
]


def _name(schedule):
  return f'{schedule.name}-{schedule.tau}'


def _gamma(t, ns=0.0002, ds=0.00025):
  return np.cos(((t + ns) / (1 + ds)) * np.pi / 2) ** 2


def _ddim_step(x_t, x_pred, t_now, t_next, scale):
  """Algorithm 4 in NumPy."""
  gamma_now = _gamma(t_now)
  gamma_next = _gamma(t_next)
  x_pred = np.clip(x_pred, -scale, scale)
  eps = 1 / np.sqrt(1 - gamma_now) * (x_t - np.sqrt(gamma_now) * x_pred)
  return np.sqrt(gamma_next) * x_pred + np.sqrt(1 - gamma_next) * eps


def _draw(*shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_the_papers_gamma():
  t = np.linspace(0, 1, 101)
  actual = diffusion.gamma(tf.constant(t, tf.float32), base.Schedule()).numpy()
  np.testing.assert_allclose(actual, _gamma(t), rtol=1e-5, atol=1e-7)
  assert actual[0] == pytest.approx(1, abs=1e-6)
  assert 0 < actual[-1] < 1e-8


@pytest.mark.parametrize('schedule', _SCHEDULES, ids=_name)
def test_schedules_fall_from_one_to_nearly_zero(schedule):
  t = tf.linspace(0.0, 1.0, 101)
  gamma = diffusion.gamma(t, schedule).numpy()
  assert gamma[0] == pytest.approx(1, abs=1e-6)
  assert 0 < gamma[-1] < 1e-6
  assert np.all(np.diff(gamma) <= 0)
  assert np.all(np.diff(gamma[5:95]) < 0)


def test_the_families_have_their_formulas():
  t = np.linspace(0, 1, 11)

  def gamma(name, start=0.0, end=1.0, tau=1.0):
    schedule = base.Schedule(name=name, start=start, end=end, tau=tau)
    return diffusion.gamma(tf.constant(t, tf.float32), schedule)

  # With these ends the normalisation drops out.
  np.testing.assert_allclose(
    gamma('cosine', 0.0, 1.0, 1.5), np.cos(t * np.pi / 2) ** 3, atol=1e-6
  )
  np.testing.assert_allclose(gamma('linear'), 1 - t, atol=1e-6)

  def sigmoid(x):
    return 1 / (1 + np.exp(-x))

  first, last = sigmoid(-3 / 0.7), sigmoid(3 / 0.7)
  np.testing.assert_allclose(
    gamma('sigmoid', -3.0, 3.0, 0.7),
    (last - sigmoid((6 * t - 3) / 0.7)) / (last - first),
    atol=1e-6,
  )


def test_noising_is_undone():
  x_0, eps = 0.1 * _draw(3, 4, 4, 6), _draw(3, 4, 4, 6, seed=1)
  gamma = np.array([0.02, 0.5, 0.97], np.float32)[:, None, None, None]
  x_t = diffusion.add_noise(x_0, gamma, eps)
  np.testing.assert_allclose(
    x_t, np.sqrt(gamma) * x_0 + np.sqrt(1 - gamma) * eps, rtol=1e-5
  )
  np.testing.assert_allclose(
    diffusion.eps_from_x_0(x_t, x_0, gamma), eps, atol=1e-5
  )


@pytest.mark.parametrize('times', [(1.0, 0.8), (0.55, 0.2), (0.1, 0.02)])
def test_ddim_step_is_algorithm_4(times):
  x_t, x_pred = _draw(2, 3, 3, 4), _draw(2, 3, 3, 4, seed=1)
  expected = _ddim_step(x_t.astype(np.float64), x_pred, *times, scale=0.4)
  assert np.abs(x_pred).max() > 0.4  # So that it matters that it is clipped.
  gammas = diffusion.paper_gamma(tf.constant(times))
  actual = diffusion.ddim_step(x_t, x_pred, gammas[0], gammas[1], 0.4)
  np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('variance', ['large', 'small'])
def test_ddpm_step_is_ancestral_sampling(variance):
  x_t, x_pred, z = (_draw(2, 3, 3, 4, seed=i) for i in range(3))
  now, after, b = 0.3, 0.6, 0.5
  alpha = now / after
  x_0 = np.clip(x_pred, -b, b)
  # The posterior q(x_next | x_t, x_0) in its usual form.
  mean = (
    np.sqrt(after) * (1 - alpha) / (1 - now) * x_0
    + np.sqrt(alpha) * (1 - after) / (1 - now) * x_t
  )
  sigma2 = {
    'large': 1 - alpha,
    'small': (1 - after) / (1 - now) * (1 - alpha),
  }[variance]
  actual = diffusion.ddpm_step(
    x_t,
    x_pred,
    tf.constant(now),
    tf.constant(after),
    b=b,
    noise_fn=lambda: z,
    variance=variance,
  )
  np.testing.assert_allclose(
    actual, mean + np.sqrt(sigma2) * z, rtol=1e-4, atol=1e-5
  )


def test_sampling_times():
  t_now, t_next = diffusion.sampling_times(4, 0.0)
  np.testing.assert_allclose(t_now, [1, 0.75, 0.5, 0.25])
  np.testing.assert_allclose(t_next, [0.75, 0.5, 0.25, 0])
  t_now, t_next = diffusion.sampling_times(4, 1.5)
  np.testing.assert_allclose(t_now, [1, 0.75, 0.5, 0.25])
  np.testing.assert_allclose(t_next, [0.375, 0.125, 0, 0])
  t_now, t_next = diffusion.sampling_times(1, 3.0)
  assert (float(t_now[0]), float(t_next[0])) == (1, 0)


@pytest.mark.parametrize('schedule', _SCHEDULES[:2], ids=_name)
@pytest.mark.parametrize('name', diffusion.SAMPLERS)
def test_a_perfect_predictor_gives_x_0(name, schedule):
  x_0 = 0.2 * np.sign(_draw(2, 4, 4, 6))
  inputs = []

  def predict(x_t, i):
    tf.numpy_function(lambda x: inputs.append(x), [x_t], [])
    del i
    return tf.constant(x_0)

  x = diffusion.infer(
    predict,
    tf.constant(_draw(2, 4, 4, 6, seed=1)),
    base.Sampler(name=name, steps=6, td=0.5, schedule=schedule),
    0.2,
    noise_fn=lambda i: tf.random.stateless_normal([2, 4, 4, 6], [i, 0]),
  )
  np.testing.assert_allclose(x, x_0, atol=1e-6)
  # x_t goes from noise to signal, too.
  assert len(inputs) == 6
  errors = [np.abs(x_t - x_0).mean() for x_t in inputs]
  assert errors[-1] < 0.6 * errors[0]


def test_ddim_sampling_is_algorithm_2():
  noise = _draw(1, 3, 3, 4)
  steps, td, b = 5, 1.0, 0.3

  def predict(x, i):
    return np.tanh(x) * (0.3 + 0.2 * i)

  x_t = noise.astype(np.float64)
  kept = []
  for i in range(steps):
    t_now, t_next = 1 - i / steps, max(1 - (i + 1 + td) / steps, 0)
    x_pred = predict(x_t, i)
    kept.append(x_pred)
    x_t = _ddim_step(x_t, x_pred, t_now, t_next, b)

  def infer(trajectory):
    return diffusion.infer(
      lambda x, i: tf.tanh(x) * (0.3 + 0.2 * tf.cast(i, tf.float32)),
      tf.constant(noise),
      base.Sampler(steps=steps, td=td),
      b,
      trajectory=trajectory,
    )

  # The last prediction, not clipped, and not the last x_t.
  np.testing.assert_allclose(infer(False), kept[-1], atol=1e-4)
  assert np.abs(kept[-1] - x_t).max() > 1e-2
  trajectory = infer(True)
  assert trajectory.shape == [steps, 1, 3, 3, 4]
  np.testing.assert_allclose(trajectory, kept, atol=1e-4)
  np.testing.assert_array_equal(trajectory[-1], infer(False))


@pytest.mark.parametrize('name', diffusion.SAMPLERS)
def test_what_is_known_stays_at_the_noise_of_every_step(name):
  given = 0.2 * np.sign(_draw(2, 4, 4, 6))
  noise = tf.constant(_draw(2, 4, 4, 6, seed=1))
  known = np.zeros([2, 4, 4, 1], bool)
  known[:, 1:3, :2] = True
  inputs, estimates = [], []

  def predict(x_t, i, estimate):
    inputs.append(x_t.numpy())
    estimates.append(estimate.numpy())
    return tf.tanh(x_t) * (0.1 + 0.02 * tf.cast(i, tf.float32))

  sampler = base.Sampler(name=name, steps=5, td=1.5)
  x_0 = diffusion.infer(
    predict,
    noise,
    sampler,
    0.2,
    noise_fn=lambda i: tf.random.stateless_normal([2, 4, 4, 6], [i, 0]),
    self_conditioning=True,
    given=tf.constant(given),
    known=tf.constant(known),
  )
  there = np.broadcast_to(known, given.shape)
  np.testing.assert_array_equal(x_0.numpy()[there], given[there])
  assert np.all(x_0.numpy()[~there] != given[~there])
  times, _ = diffusion.sampling_times(sampler.steps, sampler.td)
  for i, x_t in enumerate(inputs):
    if i:
      np.testing.assert_array_equal(estimates[i][there], given[there])
    gamma_t = diffusion.gamma(times[i], sampler.schedule)
    expected = diffusion.add_noise(given, gamma_t, noise).numpy()
    np.testing.assert_allclose(x_t[there], expected[there], atol=1e-6)
    assert i == 0 or np.all(np.abs(x_t - expected)[~there] > 1e-6)


def test_every_ddpm_step_has_its_own_noise():
  seen = []

  def noise_fn(i):
    seen.append(int(i))
    return tf.zeros([1, 2, 2, 2])

  noise = tf.ones([1, 2, 2, 2])
  diffusion.infer(
    lambda x, _: x,
    noise,
    base.Sampler(name='ddpm_small', steps=3),
    0.1,
    noise_fn,
  )
  assert seen == [0, 1, 2]


def test_a_sampler_is_a_function_and_an_entry(monkeypatch):
  def jump(x_t, x_pred, gamma_now, gamma_next, **_):
    return x_t + x_pred

  monkeypatch.setitem(diffusion.SAMPLERS, 'jump', jump)
  x = diffusion.infer(
    lambda x, _: 2 * x,
    tf.ones([1, 2, 2, 2]),
    base.Sampler(name='jump', steps=3),
    0.1,
    trajectory=True,
  )
  np.testing.assert_array_equal(x[:, 0, 0, 0, 0], [2, 6, 18])


def test_a_schedule_is_a_function_and_an_entry(monkeypatch):
  def power(t, tau, **_):
    return (1 - t) ** tau

  monkeypatch.setitem(diffusion.SCHEDULES, 'power', power)
  schedule = base.Schedule(name='power', tau=2.0)
  gamma = diffusion.gamma(tf.constant([0.25, 0.5]), schedule)
  np.testing.assert_allclose(gamma, [0.5625, 0.25])


@pytest.mark.parametrize('jit_compile', [False, True])
@pytest.mark.parametrize('trajectory', [False, True])
def test_the_sampler_in_a_graph(jit_compile, trajectory):
  noise = tf.constant(_draw(1, 3, 3, 4))

  def infer(noise):
    return diffusion.infer(
      lambda x, i: tf.tanh(x) * (0.3 + 0.2 * tf.cast(i, tf.float32)),
      noise,
      base.Sampler(steps=5, td=1.0),
      0.3,
      trajectory=trajectory,
    )

  graph = tf.function(infer, autograph=False, jit_compile=jit_compile)
  np.testing.assert_allclose(graph(noise), infer(noise), atol=1e-5)
  assert graph.get_concrete_function(noise).output_shapes.is_fully_defined()


@pytest.mark.parametrize('jit_compile', [False, True])
def test_one_graph_makes_any_number_of_steps(jit_compile):
  noise = tf.constant(_draw(1, 3, 3, 4))

  def compiled(sampler):
    def infer(steps):
      return diffusion.infer(
        lambda x, i: tf.tanh(x) * (0.3 + 0.2 * tf.cast(i, tf.float32)),
        noise,
        sampler,
        0.3,
        steps=steps,
      )

    return tf.function(infer, autograph=False, jit_compile=jit_compile)

  graph = compiled(base.Sampler(steps=3, td=1.0))
  for steps in (1, 5):
    expected = compiled(base.Sampler(steps=steps, td=1.0))(None)
    np.testing.assert_allclose(graph(tf.constant(steps)), expected, rtol=1e-6)
  assert graph.experimental_get_tracing_count() == 1


def test_unknown_names_and_missing_noise():
  with pytest.raises(
    ValueError, match="unknown noise schedule 'square'.*paper"
  ):
    diffusion.gamma(tf.zeros([]), base.Schedule(name='square'))

  def infer(name):
    noise = tf.zeros([1, 2, 2, 2])
    diffusion.infer(lambda x, _: x, noise, base.Sampler(name=name), 0.1)

  with pytest.raises(ValueError, match="unknown sampler 'euler'.*ddim"):
    infer('euler')
  with pytest.raises(ValueError, match="'ddpm_large' needs noise_fn"):
    infer('ddpm_large')


def test_dpm_solver_needs_fewer_steps():
  # Of x_0 ~ N(0, s^2) the best prediction is known, and the way of x_t.
  s, schedule = 0.5, base.Schedule()
  noise = tf.constant(_draw(1, 4, 4, 3))

  def total(gamma):
    return gamma * s**2 + 1 - gamma

  def error(name, steps):
    """Of x_t at t = 1 / 4, as a share."""
    times, _ = diffusion.sampling_times(steps, 0.0)
    gammas = diffusion.gamma(times, schedule)
    share = tf.sqrt(gammas) * s**2 / total(gammas)
    x_pred = diffusion.infer(
      lambda x_t, i: share[i] * x_t,
      noise,
      base.Sampler(name=name, steps=steps),
      b=100.0,
      trajectory=True,
    )
    i = steps * 3 // 4
    exact = noise * tf.sqrt(total(gammas[i]) / total(gammas[0]))
    return float(tf.reduce_max(tf.abs(x_pred[i] / share[i] / exact - 1)))

  assert error('dpm_solver', 20) < 0.3 * error('ddim', 20)
  # Of the second order: twice the steps, a quarter of the error.
  assert error('dpm_solver', 80) < 0.35 * error('dpm_solver', 40)
  assert error('ddim', 80) > 0.4 * error('ddim', 40)
