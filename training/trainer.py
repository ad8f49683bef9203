"""One step of training, and the loop over steps."""

import time

import orbit
import tensorflow as tf
import tf_keras

from tasks import task as task_lib
from training import ema
from training import optimizer as optimizer_lib
from training import state as state_lib
from training import strategy as strategy_lib

# AutoGraph's conversion of a network takes longer than tracing it.
_without_autograph = tf.autograph.experimental.do_not_convert


class Trainer(orbit.StandardTrainer):
  """Trains a task: losses, gradients, clip, AdamW, averages.

  The steps of a loop run in one `tf.function`. The seeds of a step come with
  its batch, so the noise is the same on any number of replicas.

  Attributes:
    names: Of the values in `output` that are means over the steps.
    output: Values of the last loop by name: `loss`, its parts, and
      `gradient_norm` before clipping, as means over the steps; `learning_rate`
      of the last step; `seconds_per_step`.
  """

  def __init__(
    self,
    task: task_lib.Task,
    state: state_lib.TrainState,
    strategy: tf.distribute.Strategy,
  ):
    """Opens the data set at the state's step.

    Args:
      task: The task.
      state: Restored or initialized before.
      strategy: The strategy under which the state was built.
    """
    self._task = task
    self._config = task.config
    self._state = state
    self._strategy = strategy
    self._variables = state.model.trainable_variables
    self.output: dict[str, float] = {}
    self.names = ('loss', *task.loss_names, 'gradient_norm')
    self._micro_batches = self._config.optimizer.accumulation_steps
    self._values = self._compute_values
    # The update, whose kernels are fused already, stays out of XLA.
    jit_compile = self._config.training.jit_compile
    self._compile_parts = jit_compile and not strategy_lib.compiles_exchange(
      strategy
    )
    if jit_compile and not self._compile_parts:
      self._values = tf.function(
        self._values, jit_compile=True, autograph=False
      )
    with strategy.scope():
      self._means = tf_keras.metrics.MeanTensor(shape=[len(self.names)])
      self._bad_step = tf.Variable(
        tf.constant(-1, tf.int64),
        trainable=False,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
      )
      self._totals = []
      if self._micro_batches > 1:
        shapes = [variable.shape for variable in self._variables]
        shapes.append([len(self.names) - 1])
        self._totals = [_per_replica_zeros(shape) for shape in shapes]
    start_step = int(state.step.numpy())

    def dataset_fn(context):
      dataset = task.train_dataset(start_step, context)
      # So workers need not ask each other at every step whether it has ended.
      endless = tf.data.experimental.assert_cardinality(
        tf.data.INFINITE_CARDINALITY
      )
      return dataset.apply(endless)

    super().__init__(strategy_lib.distribute_dataset(strategy, dataset_fn))

  def train_loop_begin(self) -> None:
    self._means.reset_state()
    self._loop_start = int(self._state.step.numpy())
    self._loop_time = time.monotonic()

  def train_step(self, iterator) -> None:
    """Makes one update from the next global batch."""
    batch = next(iterator)
    if self._micro_batches == 1:
      self._strategy.run(self.update_from_batch, args=(batch,))
    else:
      for i in tf.range(self._micro_batches):
        self._strategy.run(self.accumulate, args=(batch, i))
      self._strategy.run(self.update_from_totals)
    self._state.step.assign_add(1)

  def train_loop_end(self) -> None:
    """Sets `output` to the means over the loop's steps.

    They are not returned, since Orbit would print them over many lines.
    """
    step = int(self._state.step.numpy())
    steps = step - self._loop_start
    means = self._means.result().numpy()
    seconds = time.monotonic() - self._loop_time
    self.output = {
      **dict(zip(self.names, means.tolist(), strict=True)),
      'learning_rate': float(self._learning_rate(step - 1)),
      'seconds_per_step': seconds / steps,
    }

  def first_bad_step(self) -> int:
    """Returns the first step whose loss or gradient is not finite, or -1."""
    return int(self._bad_step.numpy())

  def _learning_rate(self, step) -> tf.Tensor:
    return optimizer_lib.learning_rate(
      self._config.optimizer, self._config.training.steps, step
    )

  def _compute_values(self, batch) -> list[tf.Tensor]:
    """Returns the gradients of the variables and, last, the losses [n]."""
    with tf.GradientTape() as tape:
      loss, parts = self._task.loss(
        self._state.model, batch, self._compile_parts
      )
    gradients = tape.gradient(loss, self._variables)
    unreached = [
      variable.name
      for variable, gradient in zip(self._variables, gradients, strict=True)
      if gradient is None
    ]
    if unreached:
      raise ValueError(
        f'The loss does not depend on {len(unreached)} trainable weights, '
        f'{unreached[0]!r} among them; the task must freeze them.'
      )
    losses = [loss, *(parts[name] for name in self._task.loss_names)]
    losses = tf.stack([tf.cast(value, tf.float32) for value in losses])
    return [*(tf.convert_to_tensor(gradient) for gradient in gradients), losses]

  @_without_autograph
  def update_from_batch(self, batch) -> None:
    self._update(self._values(batch))

  @_without_autograph
  def accumulate(self, batch, i) -> None:
    """Adds the values of the i-th micro-batch to the totals."""

    def micro_batch(rows):
      size = rows.shape[0] // self._micro_batches
      shape = [self._micro_batches, size, *rows.shape[1:]]
      return tf.reshape(rows, shape)[i]

    values = self._values(tf.nest.map_structure(micro_batch, batch))
    for total, value in zip(self._totals, values, strict=True):
      total.assign_add(value)

  @_without_autograph
  def update_from_totals(self) -> None:
    self._update(
      [total.read_value() / self._micro_batches for total in self._totals]
    )
    for total in self._totals:
      total.assign(tf.zeros(total.shape))

  def _update(self, values: list[tf.Tensor]) -> None:
    """Updates all weights from a replica's gradients and losses."""
    context = tf.distribute.get_replica_context()
    *gradients, losses = context.all_reduce(tf.distribute.ReduceOp.MEAN, values)
    norm = tf.linalg.global_norm(gradients)
    step = self._state.step.read_value()
    self._state.optimizer.apply(
      self._variables,
      optimizer_lib.clip(gradients, norm, self._config.optimizer.clip_norm),
      self._learning_rate(step),
      step,
    )
    ema.update(
      self._state.model,
      self._state.average,
      ema.decay(self._config.optimizer, step),
    )
    values = tf.concat([losses, [norm]], axis=0)
    self._means.update_state(values)
    bad_step = self._bad_step.read_value()
    is_first_bad = (bad_step < 0) & ~tf.reduce_all(tf.math.is_finite(values))
    self._bad_step.assign(tf.where(is_first_bad, step + 1, bad_step))


def _per_replica_zeros(shape) -> tf.Variable:
  return tf.Variable(
    tf.zeros(shape),
    trainable=False,
    synchronization=tf.VariableSynchronization.ON_READ,
    aggregation=tf.VariableAggregation.SUM,
  )
