"""AdamW, its learning rate, and clipping by the global norm."""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from configs import base, choices

# Shapes of the learning rate by `optimizer.schedule`: 1 is the full rate and 0
# the last one. `progress` is in [0, 1].
SCHEDULES: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
  'constant': lambda progress: tf.ones([]),
  'linear': lambda progress: 1.0 - progress,
  'cosine': lambda progress: 0.5 * (1.0 + tf.cos(math.pi * progress)),
}


def learning_rate(
  config: base.Optimizer, total_steps: int, step: tf.Tensor
) -> tf.Tensor:
  """Returns the learning rate of an update.

  It rises linearly over the first `warmup_steps` updates, and then goes from
  `learning_rate` down to `end_factor` of it over the rest, as `schedule` says.

  Args:
    config: The optimizer's configuration.
    total_steps: Length of the run, in updates.
    step: Integer scalar, number of updates made before.

  Returns:
    float32 scalar.

  Raises:
    ValueError: If the schedule is unknown.
  """
  n = tf.cast(step, tf.float32)
  warmup = float(config.warmup_steps)
  progress = (n - warmup) / max(total_steps - warmup, 1.0)
  progress = tf.clip_by_value(progress, 0.0, 1.0)
  share_at = choices.choose(SCHEDULES, config.schedule, 'optimizer.schedule')
  share = share_at(progress)
  factor = config.end_factor + (1.0 - config.end_factor) * share
  rise = tf.minimum((n + 1.0) / max(warmup, 1.0), 1.0)
  return config.learning_rate * rise * factor


def clip(
  gradients: Sequence[tf.Tensor], norm: tf.Tensor, clip_norm: float
) -> list[tf.Tensor]:
  """Scales gradients down so that their global norm is at most `clip_norm`.

  Args:
    gradients: Tensors of any shapes.
    norm: float32 scalar, the global norm of them all.
    clip_norm: The bound; 0 leaves the gradients as they are.

  Returns:
    Tensors like `gradients`.
  """
  if not clip_norm:
    return list(gradients)
  scale = clip_norm / tf.maximum(norm, clip_norm)
  return [gradient * scale for gradient in gradients]


class AdamW(tf.Module):
  """Adam with weight decay decoupled from the gradient, on all variables.

  One fused kernel a variable: with a few hundred small variables, as here, an
  update takes the time of starting its kernels. Every replica updates its own
  copy of a variable, through its handle, with the same gradients.
  """

  def __init__(self, config: base.Optimizer, variables: Sequence[tf.Variable]):
    """Creates the moments; call it under the strategy's scope.

    Args:
      config: The optimizer's configuration.
      variables: The variables to be trained.
    """
    super().__init__(name='adamw')
    self._config = config
    self._scales = [rate_scale(v, config.base_fan_in) for v in variables]
    self.m = [_zeros_like(variable) for variable in variables]
    self.v = [_zeros_like(variable) for variable in variables]

  def apply(
    self,
    variables: Sequence[tf.Variable],
    gradients: Sequence[tf.Tensor],
    rate: tf.Tensor,
    step: tf.Tensor,
  ) -> None:
    """Updates the variables; call it in the context of a replica.

    Args:
      variables: Those of the constructor.
      gradients: One for each variable, the same on all replicas.
      rate: float32 scalar, the learning rate before `rate_scale`.
      step: Integer scalar, number of updates made before.
    """
    config = self._config
    n = tf.cast(step + 1, tf.float32)
    # Made once, not for each variable: a graph takes its time by its nodes.
    beta_1 = tf.constant(config.beta_1)
    beta_2 = tf.constant(config.beta_2)
    epsilon = tf.constant(config.epsilon)
    beta1_power, beta2_power = tf.pow(beta_1, n), tf.pow(beta_2, n)
    rates = {scale: rate * scale for scale in dict.fromkeys(self._scales)}
    decays = {s: scaled * config.weight_decay for s, scaled in rates.items()}
    for w, m, v, gradient, scale in zip(
      variables, self.m, self.v, gradients, self._scales, strict=True
    ):
      if config.weight_decay:
        tf.raw_ops.ResourceApplyGradientDescent(
          var=w.handle, alpha=decays[scale], delta=w.read_value()
        )
      tf.raw_ops.ResourceApplyAdam(
        var=w.handle,
        m=m.handle,
        v=v.handle,
        beta1_power=beta1_power,
        beta2_power=beta2_power,
        lr=rates[scale],
        beta1=beta_1,
        beta2=beta_2,
        epsilon=epsilon,
        grad=gradient,
      )


def rate_scale(variable: tf.Variable, base_fan_in: int) -> float:
  """Returns the factor of a variable's learning rate.

  Adam moves every weight by about the learning rate, whatever its layer; the
  output of a layer with n inputs moves n times as far. With 1 / n in the rate
  all layers change at one pace (muP, arXiv 2203.03466).

  Args:
    variable: A kernel, whose last axes are its outputs, or another weight.
    base_fan_in: Inputs up to which a kernel has the full rate; 0: no limit.

  Returns:
    min(1, base_fan_in / n) for kernels, 1 for others.
  """
  path = variable.name.split(':')[0].split('/')
  if not base_fan_in or path[-1] != 'kernel':
    return 1.0
  # Kernels that split into heads have two output axes.
  outputs = 2 if path[-2:-1] and path[-2] in ('query', 'key', 'value') else 1
  return min(1.0, base_fan_in / math.prod(variable.shape[:-outputs]))


def _zeros_like(variable: tf.Variable) -> tf.Variable:
  with tf.distribute.get_strategy().extended.colocate_vars_with(variable):
    return tf.Variable(tf.zeros(variable.shape), trainable=False)
