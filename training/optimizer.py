"""AdamW, its learning rate, and clipping by the global norm."""

import math
from typing import List, Sequence

import tensorflow as tf

from configs import base


def learning_rate(
  config: base.Optimizer, total_steps: int, step: tf.Tensor
) -> tf.Tensor:
  """Returns the learning rate of an update.

  It rises linearly over the first `warmup_steps` updates, and then goes from
  `learning_rate` down to `end_factor` of it over the rest, as `schedule` says.

  Args:
    config: the optimizer's configuration.
    total_steps: length of the run, in updates.
    step: integer scalar, number of updates made before.

  Returns:
    float32 scalar.

  Raises:
    ValueError: if the schedule is unknown.
  """
  n = tf.cast(step, tf.float32)
  warmup = float(config.warmup_steps)
  progress = (n - warmup) / max(total_steps - warmup, 1.0)
  progress = tf.clip_by_value(progress, 0.0, 1.0)
  if config.schedule == 'constant':
    share = tf.ones([])
  elif config.schedule == 'linear':
    share = 1.0 - progress
  elif config.schedule == 'cosine':
    share = 0.5 * (1.0 + tf.cos(math.pi * progress))
  else:
    raise ValueError(
      f'Unknown optimizer.schedule {config.schedule!r}; choose constant, '
      'linear or cosine.'
    )
  factor = config.end_factor + (1.0 - config.end_factor) * share
  rise = tf.minimum((n + 1.0) / max(warmup, 1.0), 1.0)
  return config.learning_rate * rise * factor


def clip(
  gradients: Sequence[tf.Tensor], norm: tf.Tensor, clip_norm: float
) -> List[tf.Tensor]:
  """Scales gradients down so that their global norm is at most `clip_norm`.

  Args:
    gradients: tensors of any shapes.
    norm: float32 scalar, the global norm of them all.
    clip_norm: the bound; 0 leaves the gradients as they are.

  Returns:
    Tensors like `gradients`.
  """
  if not clip_norm:
    return list(gradients)
  scale = clip_norm / tf.maximum(norm, clip_norm)
  return [gradient * scale for gradient in gradients]


class AdamW(tf.Module):
  """Adam with weight decay decoupled from the gradient, on all variables.

  One fused kernel a variable: with a few hundred small variables, as here, the
  time of an update is that of starting its kernels. Every replica updates its
  own copy of a variable, through its handle, with the same gradients.
  """

  def __init__(self, config: base.Optimizer, variables: Sequence[tf.Variable]):
    """Creates the moments; call it under the strategy's scope.

    Args:
      config: the optimizer's configuration.
      variables: what is to be trained.
    """
    super().__init__(name='adamw')
    self._config = config
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
      variables: those of the constructor.
      gradients: one for each variable, the same on all replicas.
      rate: float32 scalar, the learning rate.
      step: integer scalar, number of updates made before.
    """
    config = self._config
    n = tf.cast(step + 1, tf.float32)
    beta1_power = tf.pow(config.beta_1, n)
    beta2_power = tf.pow(config.beta_2, n)
    for w, m, v, gradient in zip(
      variables, self.m, self.v, gradients, strict=True
    ):
      if config.weight_decay:
        tf.raw_ops.ResourceApplyGradientDescent(
          var=w.handle, alpha=rate * config.weight_decay, delta=w.read_value()
        )
      tf.raw_ops.ResourceApplyAdam(
        var=w.handle,
        m=m.handle,
        v=v.handle,
        beta1_power=beta1_power,
        beta2_power=beta2_power,
        lr=rate,
        beta1=config.beta_1,
        beta2=config.beta_2,
        epsilon=config.epsilon,
        grad=gradient,
      )


def _zeros_like(variable: tf.Variable) -> tf.Variable:
  with tf.distribute.get_strategy().extended.colocate_vars_with(variable):
    return tf.Variable(tf.zeros(variable.shape), trainable=False)
