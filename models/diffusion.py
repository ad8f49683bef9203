"""The diffusion process: schedules, noising, and the sampler.

Symbols are the paper's: `gamma` is the share of signal at time `t` in [0, 1],
`x_t` the noisy analog bits, `eps` the noise, `b` the input scaling, and `td`
the asymmetric time interval of Algorithm 2.
"""

import functools
import math
from collections.abc import Callable

import tensorflow as tf

from configs import base, choices

# ---- Schedules. ----


def paper_gamma(t: tf.Tensor, ns: float = 0.0002, ds: float = 0.00025, **_):
  """gamma(t) of Algorithm 4."""
  return tf.cos(((t + ns) / (1 + ds)) * math.pi / 2) ** 2


def cosine_gamma(t, start: float, end: float, tau: float, floor: float = 1e-9):
  """The cosine family of arXiv 2301.10972, 1 at t = 0 and `floor` at t = 1."""
  first = math.cos(start * math.pi / 2) ** (2 * tau)
  last = math.cos(end * math.pi / 2) ** (2 * tau)
  angle = (t * (end - start) + start) * math.pi / 2
  # The cosine of the end may be a rounding error below zero.
  now = tf.maximum(tf.cos(angle), 0.0) ** (2 * tau)
  return tf.clip_by_value((last - now) / (last - first), floor, 1.0)


def sigmoid_gamma(t, start: float, end: float, tau: float, floor: float = 1e-9):
  """The sigmoid family of arXiv 2301.10972."""

  def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))

  first, last = sigmoid(start / tau), sigmoid(end / tau)
  now = tf.sigmoid((t * (end - start) + start) / tau)
  return tf.clip_by_value((last - now) / (last - first), floor, 1.0)


def linear_gamma(t: tf.Tensor, floor: float = 1e-9, **_):
  """1 - t (arXiv 2301.10972)."""
  return tf.clip_by_value(1.0 - t, floor, 1.0)


# A schedule is called with the keywords start, end and tau.
SCHEDULES: dict[str, Callable[..., tf.Tensor]] = {
  'paper': paper_gamma,
  'cosine': cosine_gamma,
  'sigmoid': sigmoid_gamma,
  'linear': linear_gamma,
}


def gamma(t: tf.Tensor, schedule: base.Schedule) -> tf.Tensor:
  """The share of signal at times `t`.

  Args:
    t: Times in [0, 1], float32 of any shape.
    schedule: Name of the function, and its parameters.

  Returns:
    float32 of the shape of `t`.

  Raises:
    ValueError: For an unknown name.
  """
  s = schedule
  function = choices.choose(SCHEDULES, s.name, 'noise schedule')
  return function(t, start=s.start, end=s.end, tau=s.tau)


# ---- Noise. ----


def add_noise(x_0: tf.Tensor, gamma_t: tf.Tensor, eps: tf.Tensor) -> tf.Tensor:
  """x_t (Algorithm 1); `gamma_t` broadcasts against `x_0`."""
  return tf.sqrt(gamma_t) * x_0 + tf.sqrt(1 - gamma_t) * eps


def eps_from_x_0(
  x_t: tf.Tensor, x_0: tf.Tensor, gamma_t: tf.Tensor
) -> tf.Tensor:
  """The eps for which `add_noise` leads from `x_0` to `x_t`."""
  return tf.math.rsqrt(1 - gamma_t) * (x_t - tf.sqrt(gamma_t) * x_0)


# ---- Samplers: one step each. ----


def ddim_step(x_t, x_pred, gamma_now, gamma_next, b: float, **_) -> tf.Tensor:
  """x at the next time with the DDIM rule (Algorithm 4).

  Args:
    x_t: x at the present time, `[B, h, w, c]`.
    x_pred: The predicted x_0, clipped here to [-b, b].
    gamma_now: gamma(t_now).
    gamma_next: gamma(t_next).
    b: Input scaling.

  Returns:
    x at t_next, `[B, h, w, c]`.
  """
  x_pred = tf.clip_by_value(x_pred, -b, b)
  eps = eps_from_x_0(x_t, x_pred, gamma_now)
  return tf.sqrt(gamma_next) * x_pred + tf.sqrt(1 - gamma_next) * eps


def ddpm_step(
  x_t, x_pred, gamma_now, gamma_next, b: float, noise_fn, variance: str, **_
) -> tf.Tensor:
  """x at the next time by ancestral sampling (arXiv 2006.11239).

  Args:
    x_t: x at the present time, `[B, h, w, c]`.
    x_pred: The predicted x_0, clipped here to [-b, b].
    gamma_now: gamma(t_now).
    gamma_next: gamma(t_next).
    b: Input scaling.
    noise_fn: Returns this step's unit noise, of the shape of `x_t`.
    variance: 'large' (1 - alpha) or 'small' (the variance of the posterior).

  Returns:
    x at t_next, `[B, h, w, c]`.
  """
  x_pred = tf.clip_by_value(x_pred, -b, b)
  eps = eps_from_x_0(x_t, x_pred, gamma_now)
  alpha = gamma_now / gamma_next
  sigma2 = 1 - alpha
  mean = (x_t - sigma2 * tf.math.rsqrt(1 - gamma_now) * eps) / tf.sqrt(alpha)
  if variance == 'small':
    sigma2 *= (1 - gamma_next) / (1 - gamma_now)
  return mean + tf.sqrt(sigma2) * noise_fn()


def dpm_solver_step(
  x_t, x_pred, gamma_now, gamma_next, b: float, before, gamma_before, **_
) -> tf.Tensor:
  """x at the next time by DPM-Solver++ 2M (arXiv 2211.01095, Algorithm 2).

  The line through two predictions is followed, where DDIM takes the last one
  for the whole step; the first step is DDIM's.

  Args:
    x_t: x at the present time, `[B, h, w, c]`.
    x_pred: The predicted x_0, clipped here to [-b, b].
    gamma_now: gamma(t_now).
    gamma_next: gamma(t_next).
    b: Input scaling.
    before: The prediction of the step before.
    gamma_before: gamma(t_now) of the step before; in the first step gamma_now.

  Returns:
    x at t_next, `[B, h, w, c]`.
  """

  def half_log_snr(gamma):
    return (tf.math.log(gamma) - tf.math.log(1 - gamma)) / 2

  # At t = 0 the signal has no noise and its ratio to the noise no end.
  gamma_next = tf.minimum(gamma_next, 1 - 1e-6)
  now = half_log_snr(gamma_now)
  step = half_log_snr(gamma_next) - now
  step_before = now - half_log_snr(gamma_before)
  x_pred = tf.clip_by_value(x_pred, -b, b)
  change = x_pred - tf.clip_by_value(before, -b, b)
  x_line = x_pred + tf.math.divide_no_nan(step, 2 * step_before) * change
  noise_ratio = tf.sqrt((1 - gamma_next) / (1 - gamma_now))
  signal = tf.sqrt(gamma_next) * -tf.math.expm1(-step)
  return noise_ratio * x_t + signal * x_line


# A step is called with x_t, x_pred, gamma_now and gamma_next, and with the
# keywords b, noise_fn, before and gamma_before.
SAMPLERS: dict[str, Callable[..., tf.Tensor]] = {
  'ddim': ddim_step,
  'ddpm_large': functools.partial(ddpm_step, variance='large'),
  'ddpm_small': functools.partial(ddpm_step, variance='small'),
  'dpm_solver': dpm_solver_step,
}


# ---- Algorithm 2. ----


def sampling_times(
  steps: int | tf.Tensor, td: float
) -> tuple[tf.Tensor, tf.Tensor]:
  """t_now and t_next of every step of Algorithm 2, float32 `[steps]` each."""
  i = tf.range(steps, dtype=tf.float32)
  steps = tf.cast(steps, tf.float32)
  t_now = 1 - i / steps
  t_next = tf.maximum(1 - (i + 1 + td) / steps, 0.0)
  return t_now, t_next


def infer(
  predict_x_0: Callable[..., tf.Tensor],
  noise: tf.Tensor,
  sampler: base.Sampler,
  b: float,
  noise_fn: Callable[[tf.Tensor], tf.Tensor] | None = None,
  trajectory: bool = False,
  self_conditioning: bool = False,
  given: tf.Tensor | None = None,
  known: tf.Tensor | None = None,
  steps: tf.Tensor | None = None,
) -> tf.Tensor:
  """Draws x_0 from noise (Algorithm 2).

  What is `known` of x_0 stays: in every step x_t has its noisy version there,
  and the prediction is replaced by it.

  Args:
    predict_x_0: Predicts x_0 `[B, h, w, c]` from x_t and the step's number. It
      takes the number and not the time, because it may have computed whatever
      depends on time alone for all steps before.
    noise: x at time 1, `[B, h, w, c]`.
    sampler: Name of the update rule, steps, td and schedule.
    b: Input scaling.
    noise_fn: Returns unit noise for a step's number; the DDPM samplers need it.
    trajectory: Whether to return the predictions of all steps (Figure 11).
    self_conditioning: Whether `predict_x_0` takes the prediction of the step
      before, too, clipped to [-b, b]; zeros at first.
    given: x_0 where it is known, `[B, h, w, c]`; None: nowhere.
    known: bool `[B, h, w, 1]`, where `given` counts.
    steps: int32 scalar in place of `sampler.steps`.

  Returns:
    The last prediction of x_0, `[B, h, w, c]`; with `trajectory` all
    predictions, `[steps, B, h, w, c]`.

  Raises:
    ValueError: For an unknown sampler, or a DDPM sampler without `noise_fn`.
  """
  sampler_step = choices.choose(SAMPLERS, sampler.name, 'sampler')

  def step_noise(i):
    if noise_fn is None:
      raise ValueError(
        f'sampler {sampler.name!r} needs noise_fn, the noise of its steps: '
        'give it, or give Pix2SeqD.sample seeds in place of noise'
      )
    return noise_fn(i)

  # Time of the current and of the next state, for every step.
  steps = sampler.steps if steps is None else steps
  t_now, t_next = sampling_times(steps, sampler.td)
  gamma_now = gamma(t_now, sampler.schedule)
  gamma_next = gamma(t_next, sampler.schedule)

  def step(state, i):
    x_t, before = state
    # Keep what is known, at the noise of t_now.
    if given is not None:
      x_t = tf.where(known, add_noise(given, gamma_now[i], noise), x_t)
    # Predict x_0 from x_t.
    estimate = [tf.clip_by_value(before, -b, b)] if self_conditioning else []
    x_pred = predict_x_0(x_t, i, *estimate)
    if given is not None:
      x_pred = tf.where(known, given, x_pred)
    x_pred = tf.ensure_shape(x_pred, noise.shape)
    # Estimate x at t_next.
    x_t = sampler_step(
      x_t,
      x_pred,
      gamma_now[i],
      gamma_next[i],
      b=b,
      noise_fn=lambda: step_noise(i),
      before=before,
      gamma_before=gamma_now[tf.maximum(i - 1, 0)],
    )
    return x_t, x_pred

  # The answer is the last prediction, not the last x_t.
  loop = tf.scan if trajectory else tf.foldl
  start = (noise, tf.zeros_like(noise))
  _, x_pred = loop(step, tf.range(steps), start)
  return x_pred
