"""The variables of a run, which a checkpoint holds."""

import dataclasses

import orbit
import tensorflow as tf
import tf_keras

from configs import base
from models import precision
from tasks import task as task_lib
from training import ema
from training import optimizer as optimizer_lib


@dataclasses.dataclass
class TrainState:
  """The variables of a run in training.

  Attributes:
    step: int64 scalar, number of updates made.
    model: The model that is trained.
    average: The same model with averaged weights.
    optimizer: The moments of AdamW.
  """

  step: tf.Variable
  model: tf_keras.Model
  average: tf_keras.Model
  optimizer: optimizer_lib.AdamW

  def checkpoint(self) -> tf.train.Checkpoint:
    """Returns the object that saves and restores all of it."""
    return tf.train.Checkpoint(
      step=self.step,
      model=self.model,
      ema=self.average,
      optimizer=self.optimizer,
    )

  def start_average(self) -> None:
    """Sets the averages to the weights of the model."""
    ema.copy(self.model, self.average)


def prepare(config: base.Training) -> None:
  """Sets Keras' precision and seed; call it before a model is built.

  Args:
    config: `seed` decides the weights' initial values.
  """
  policy = precision.POLICIES[config.precision]
  tf_keras.mixed_precision.set_global_policy(policy)
  tf_keras.utils.set_random_seed(config.seed)


def build(task: task_lib.Task, strategy: tf.distribute.Strategy) -> TrainState:
  """Builds the variables of a run, with fresh values.

  Args:
    task: The task.
    strategy: Where to put them.

  Returns:
    The state; the average equals the weights.
  """
  config = task.config
  prepare(config.training)
  with strategy.scope():
    model = task.build_model()
    state = TrainState(
      step=orbit.utils.create_global_step(),
      model=model,
      average=task.build_model(),
      optimizer=optimizer_lib.AdamW(
        config.optimizer, model.trainable_variables
      ),
    )
    state.start_average()
  return state
