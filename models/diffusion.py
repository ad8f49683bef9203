"""The diffusion process: schedules, noising, and the sampler.

Symbols are the paper's: `gamma` is the share of signal at time `t` in [0, 1],
`x_t` the noisy analog bits, `eps` the noise, `b` the input scaling, and `td`
the asymmetric time interval of Algorithm 2.
"""

import math
from typing import Callable, Optional, Tuple

import tensorflow as tf

from configs import base

SAMPLERS = ('ddim', 'ddpm_large', 'ddpm_small')
SCHEDULES = ('paper', 'cosine', 'sigmoid', 'linear')


def paper_gamma(t: tf.Tensor, ns: float = 0.0002, ds: float = 0.00025):
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


def linear_gamma(t: tf.Tensor, floor: float = 1e-9):
  """1 - t (arXiv 2301.10972)."""
  return tf.clip_by_value(1.0 - t, floor, 1.0)


def gamma(t: tf.Tensor, schedule: base.Schedule) -> tf.Tensor:
  """The share of signal at times `t` under a schedule.

  Args:
    t: float32 times in [0, 1], any shape.
    schedule: which function, with its parameters.

  Returns:
    float32 of the shape of `t`.

  Raises:
    ValueError: on an unknown name.
  """
  s = schedule
  if s.name == 'paper':
    return paper_gamma(t)
  if s.name == 'cosine':
    return cosine_gamma(t, s.start, s.end, s.tau)
  if s.name == 'sigmoid':
    return sigmoid_gamma(t, s.start, s.end, s.tau)
  if s.name == 'linear':
    return linear_gamma(t)
  raise ValueError(
    f"unknown noise schedule '{s.name}': choose 'paper', 'cosine', 'sigmoid' "
    "or 'linear'"
  )


def add_noise(x_0: tf.Tensor, gamma_t: tf.Tensor, eps: tf.Tensor) -> tf.Tensor:
  """x_t (Algorithm 1); `gamma_t` broadcasts against `x_0`."""
  return tf.sqrt(gamma_t) * x_0 + tf.sqrt(1 - gamma_t) * eps


def noise_of(x_t: tf.Tensor, x_0: tf.Tensor, gamma_t: tf.Tensor) -> tf.Tensor:
  """The eps that leads from `x_0` to `x_t`."""
  return tf.math.rsqrt(1 - gamma_t) * (x_t - tf.sqrt(gamma_t) * x_0)


def ddim_step(x_t, x_pred, gamma_now, gamma_next, b: float) -> tf.Tensor:
  """x at the next time with the DDIM rule (Algorithm 4).

  Args:
    x_t: `[B, h, w, c]`.
    x_pred: the predicted x_0, clipped here to [-b, b].
    gamma_now: gamma(t_now).
    gamma_next: gamma(t_next).
    b: input scaling.

  Returns:
    x at t_next, `[B, h, w, c]`.
  """
  x_pred = tf.clip_by_value(x_pred, -b, b)
  eps = noise_of(x_t, x_pred, gamma_now)
  return tf.sqrt(gamma_next) * x_pred + tf.sqrt(1 - gamma_next) * eps


def ddpm_step(
  x_t, x_pred, gamma_now, gamma_next, b: float, z, variance: str
) -> tf.Tensor:
  """x at the next time by ancestral sampling.

  Args:
    x_t: `[B, h, w, c]`.
    x_pred: the predicted x_0, clipped here to [-b, b].
    gamma_now: gamma(t_now).
    gamma_next: gamma(t_next).
    b: input scaling.
    z: fresh unit noise, of the shape of `x_t`.
    variance: 'large' (1 - alpha) or 'small' (that of the posterior).

  Returns:
    x at t_next, `[B, h, w, c]`.
  """
  x_pred = tf.clip_by_value(x_pred, -b, b)
  eps = noise_of(x_t, x_pred, gamma_now)
  alpha = gamma_now / gamma_next
  sigma2 = 1 - alpha
  mean = (x_t - sigma2 * tf.math.rsqrt(1 - gamma_now) * eps) / tf.sqrt(alpha)
  if variance == 'small':
    sigma2 *= (1 - gamma_next) / (1 - gamma_now)
  return mean + tf.sqrt(sigma2) * z


def sampling_times(steps: int, td: float) -> Tuple[tf.Tensor, tf.Tensor]:
  """t_now and t_next of every step of Algorithm 2, float32 `[steps]` each."""
  i = tf.range(steps, dtype=tf.float32)
  t_now = 1 - i / steps
  t_next = tf.maximum(1 - (i + 1 + td) / steps, 0.0)
  return t_now, t_next


def generate(
  predict_x_0: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
  noise: tf.Tensor,
  sampler: base.Sampler,
  b: float,
  draw_noise: Optional[Callable[[tf.Tensor], tf.Tensor]] = None,
  trajectory: bool = False,
) -> tf.Tensor:
  """Draws x_0 from noise (Algorithm 2).

  Args:
    predict_x_0: gives x_0 `[B, h, w, c]` from x_t and the number of the step.
      It is given the step, not its time, since it may hold what depends on
      time alone ready for all steps.
    noise: x at time 1, `[B, h, w, c]`.
    sampler: rule, steps, td and schedule.
    b: input scaling.
    draw_noise: unit noise for a step's number; for the DDPM samplers only.
    trajectory: also keep the predictions of earlier steps (Figure 11).

  Returns:
    The last prediction of x_0, `[B, h, w, c]`; with `trajectory` every step's,
    `[steps, B, h, w, c]`.

  Raises:
    ValueError: on an unknown sampler, or one that lacks its noise.
  """
  if sampler.name not in SAMPLERS:
    raise ValueError(
      f"unknown sampler '{sampler.name}': choose one of {', '.join(SAMPLERS)}"
    )
  if sampler.name != 'ddim' and draw_noise is None:
    raise ValueError(f"sampler '{sampler.name}' needs draw_noise")
  t_now, t_next = sampling_times(sampler.steps, sampler.td)
  gamma_now = gamma(t_now, sampler.schedule)
  gamma_next = gamma(t_next, sampler.schedule)

  def step(i, x_t, x_pred, kept):
    del x_pred  # The one before.
    x_pred = tf.ensure_shape(predict_x_0(x_t, i), noise.shape)
    if sampler.name == 'ddim':
      x_t = ddim_step(x_t, x_pred, gamma_now[i], gamma_next[i], b)
    else:
      variance = sampler.name.removeprefix('ddpm_')
      x_t = ddpm_step(
        x_t, x_pred, gamma_now[i], gamma_next[i], b, draw_noise(i), variance
      )
    if trajectory:
      kept = kept.write(i, x_pred)
    return i + 1, x_t, x_pred, kept

  kept = tf.TensorArray(
    noise.dtype, sampler.steps if trajectory else 0, element_shape=noise.shape
  )
  _, _, x_pred, kept = tf.while_loop(
    lambda i, *_: i < sampler.steps,
    step,
    (tf.constant(0), noise, tf.zeros_like(noise), kept),
    maximum_iterations=sampler.steps,
  )
  # The answer is the last prediction, not the last x_t.
  return kept.stack() if trajectory else x_pred
