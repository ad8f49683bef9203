"""Everything of a run that a checkpoint holds."""

import dataclasses

import orbit
import tensorflow as tf
import tf_keras

from configs import base
from training import ema
from training import optimizer as optimizer_lib
from training import strategy as strategy_lib
from training import task as task_lib


@dataclasses.dataclass
class State:
  """The variables of a run in training.

  Attributes:
    step: int64 scalar, number of updates made.
    model: what is trained.
    average: the same model with averaged weights.
    optimizer: the moments.
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
    """Lets the average begin at the weights of the model."""
    ema.copy(self.model, self.average)


def prepare(config: base.Training, strategy: tf.distribute.Strategy) -> None:
  """Sets what must be set before a model is built.

  Args:
    config: `precision` is 'float32', or 'bfloat16' for bfloat16 computations on
      float32 weights; `seed` decides the weights' initial values.
    strategy: where the model will be.

  Raises:
    ValueError: if XLA is asked for where it does not work.
  """
  if config.jit_compile:
    strategy_lib.check_jit_compile(strategy)
  policy = 'mixed_bfloat16' if config.precision == 'bfloat16' else 'float32'
  tf_keras.mixed_precision.set_global_policy(policy)
  tf_keras.utils.set_random_seed(config.seed)


def build(task: task_lib.Task, strategy: tf.distribute.Strategy) -> State:
  """Builds the variables of a run, with fresh values.

  Args:
    task: the task.
    strategy: where to put them.

  Returns:
    The state; the average equals the weights.
  """
  config = task.config
  prepare(config.training, strategy)
  with strategy.scope():
    model = task.build_model()
    state = State(
      step=orbit.utils.create_global_step(),
      model=model,
      average=task.build_model(),
      optimizer=optimizer_lib.AdamW(
        config.optimizer, model.trainable_variables
      ),
    )
    state.start_average()
  return state
