"""Scores a model on all examples of the evaluation split."""

import functools
import time
from collections.abc import Callable
from concurrent import futures

import numpy as np
import orbit
import tensorflow as tf
import tf_keras

from panoptic.console import progress
from tasks import task as task_lib
from training import log
from training import strategy as strategy_lib

_SECONDS_BETWEEN_LINES = 20.0

# What collectives between workers can carry; other types travel as int32.
_CARRIED = (tf.float16, tf.float32, tf.float64, tf.int32, tf.int64)


class Evaluator(orbit.StandardEvaluator):
  """Predicts on all replicas, and scores the gathered rows on the host.

  A batch is scored, by a thread, while the devices predict the next one.
  Every worker sees all rows and computes the same scores, so workers agree
  without communication.

  Attributes:
    run: Number of the evaluation among `evaluation.runs`, added to its seed.
  """

  def __init__(
    self,
    task: task_lib.Task,
    model: tf_keras.Model,
    strategy: tf.distribute.Strategy,
    before_batch: Callable[[], None] = lambda: None,
  ):
    """Opens the data set.

    Args:
      task: The task.
      model: With the weights to be scored, online or averaged.
      strategy: The strategy under which the model was built.
      before_batch: Called on the host before each batch is scored.
    """
    self._task = task
    self._model = model
    self._strategy = strategy
    self._before_batch = before_batch
    self.run = 0
    self._num_batches = -1
    self._rows = (
      task.config.evaluation.batch_size // strategy.num_replicas_in_sync
    )
    self._types: dict[str, tf.DType] = {}
    self._scoring = futures.ThreadPoolExecutor(1, 'scoring')
    self._scored: futures.Future | None = None
    predict = self.predict_step
    if task.config.training.jit_compile:
      predict = tf.function(predict, jit_compile=True, autograph=False)

    # A strategy would compile all replicas at once if it were given a function
    # of TensorFlow; XLA compiles one device's. A TPU's graph takes the name of
    # the function, and refuses a lambda's.
    def predict_on_replica(batch, state):
      return predict(batch, state)

    self._predict = predict_on_replica

    def dataset_fn(context):
      dataset = task.eval_dataset(context)
      self._num_batches = int(dataset.cardinality().numpy())
      return dataset

    # One trace for all steps and runs, which differ in tensors only. AutoGraph
    # is off: its conversion of a network takes longer than tracing.
    self._initial_state = tf.function(
      self._initial_state_of_replicas, autograph=False
    )
    self._step = tf.function(self._step_of_replicas, autograph=False)
    super().__init__(
      strategy_lib.distribute_dataset(strategy, dataset_fn),
      orbit.StandardEvaluatorOptions(use_tf_function=False),
    )

  def eval_begin(self) -> task_lib.Scorer:
    self._batches = 0
    self._scored = None
    self._pace = progress.Pace()
    self._last_line = time.monotonic()
    seed = self._task.config.evaluation.seed + self.run
    self._state_of_task = self._initial_state(tf.constant(seed, tf.int64))
    return self._task.new_scorer(self.run)

  def eval_step(self, iterator) -> dict[str, tf.Tensor]:
    """Returns the predictions of one global batch, from all replicas."""
    outputs, self._state_of_task = self._step(iterator, self._state_of_task)
    return outputs

  def eval_reduce(
    self, state: task_lib.Scorer, step_outputs: dict[str, tf.Tensor]
  ) -> task_lib.Scorer:
    """Hands the valid rows of a global batch to the scorer."""
    self._before_batch()
    self._wait()
    self._scored = self._scoring.submit(self._score, state, step_outputs)
    self._batches += 1
    self._pace.step()
    now = time.monotonic()
    if now - self._last_line > _SECONDS_BETWEEN_LINES:
      self._last_line = now
      log.log(
        log.evaluation_line(
          self._batches, self._num_batches, self._pace.seconds_a_step()
        )
      )
    return state

  def eval_end(self, scorer: task_lib.Scorer) -> dict[str, float]:
    """Returns the scores by name."""
    self._wait()
    scores = scorer.result()
    return {name: float(value) for name, value in scores.items()}

  def _wait(self) -> None:
    """Waits until the last batch is scored; raises what went wrong in it."""
    if self._scored is not None:
      self._scored.result()

  def _score(
    self, scorer: task_lib.Scorer, step_outputs: dict[str, tf.Tensor]
  ) -> None:
    outputs = {
      name: value.numpy().astype(self._types[name].as_numpy_dtype)
      for name, value in step_outputs.items()
    }
    valid = outputs.pop('valid')
    if np.any(valid):
      scorer.update({name: value[valid] for name, value in outputs.items()})

  def _initial_state_of_replicas(self, seed):
    # As an argument of `run`, the number of rows would be a tensor on TPUs.
    initial_state = functools.partial(self._task.initial_state, self._rows)
    return self._strategy.run(initial_state, args=(seed,))

  def _step_of_replicas(self, iterator, state):
    outputs, state = self._strategy.run(
      self._predict, args=(next(iterator), state)
    )
    outputs = {
      name: self._strategy.gather(value, axis=0)
      for name, value in outputs.items()
    }
    return outputs, state

  def predict_step(self, batch, state):
    # Several workers, whose data could end at different steps, lose the shape.
    batch = tf.nest.map_structure(
      lambda x: tf.ensure_shape(x, [self._rows, *x.shape[1:]]), batch
    )
    outputs, state = self._task.predict_step(self._model, batch, state)
    self._types = {name: value.dtype for name, value in outputs.items()}
    outputs = {
      name: value if value.dtype in _CARRIED else tf.cast(value, tf.int32)
      for name, value in outputs.items()
    }
    return outputs, state
