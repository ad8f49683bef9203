"""The exponential moving average of the weights.

The averaged weights are those of a second model, built as the first one: it can
be evaluated, saved and loaded like any other. All weights are averaged, the
moving statistics of batch normalization among them.
"""

import tensorflow as tf
import tf_keras

from configs import base


def copy(model: tf_keras.Model, average: tf_keras.Model) -> None:
  """Sets the averaged weights to those of the model.

  Args:
    model: the model that is trained.
    average: the model that holds the averages, built like it.
  """
  for a, w in zip(average.weights, model.weights, strict=True):
    a.assign(w)


def decay(config: base.Optimizer, step: tf.Tensor) -> tf.Tensor:
  """Returns the decay of an update.

  Args:
    config: the optimizer's configuration. `ema_warmup` keeps the decay below
      (1 + n) / (10 + n), so that short runs forget their first weights.
    step: integer scalar n, number of updates made before.

  Returns:
    float32 scalar.
  """
  if not config.ema_warmup:
    return tf.constant(config.ema_decay)
  n = tf.cast(step, tf.float32)
  return tf.minimum(config.ema_decay, (1.0 + n) / (10.0 + n))


def update(
  model: tf_keras.Model, average: tf_keras.Model, rate: tf.Tensor
) -> None:
  """Moves the averages: a <- rate a + (1 - rate) w.

  Call it in the context of a replica, which updates its own copy.

  Args:
    model: the model that is trained.
    average: the model that holds the averages, built like it.
    rate: float32 scalar, the decay.
  """
  for a, w in zip(average.weights, model.weights, strict=True):
    tf.raw_ops.ResourceApplyGradientDescent(
      var=a.handle,
      alpha=1.0 - rate,
      delta=a.read_value() - w.read_value(),
    )
