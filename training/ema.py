"""The exponential moving average (EMA) of the weights.

The averages are the weights of a second model, built like the first one, which
can be evaluated, saved and loaded like any other. All weights are averaged, the
moving statistics of batch normalization too.
"""

import tensorflow as tf
import tf_keras

from configs import base


def copy(model: tf_keras.Model, average: tf_keras.Model) -> None:
  """Sets the averaged weights to those of the model.

  Args:
    model: The model that is trained.
    average: The model that holds the averages, built like it.
  """
  for a, w in zip(average.weights, model.weights, strict=True):
    a.assign(w)


def decay(config: base.Optimizer, step: tf.Tensor) -> tf.Tensor:
  """Returns the decay of an update.

  Args:
    config: The optimizer's configuration. `ema_warmup` keeps the decay below
      (1 + n) / (10 + n), so that short runs forget their first weights.
    step: Integer scalar n, number of updates made before.

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
    model: The model that is trained.
    average: The model that holds the averages, built like it.
    rate: float32 scalar, the decay.
  """
  share = 1.0 - rate
  for a, w in zip(average.weights, model.weights, strict=True):
    a.assign_sub(share * (a - w))
