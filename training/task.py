"""What the loop asks of a task."""

from typing import Any, Dict, Mapping, Protocol, Sequence, Tuple

import numpy as np
import tensorflow as tf
import tf_keras

from configs import base

Tensors = Mapping[str, tf.Tensor]


class Scorer(Protocol):
  """Gathers answers on the host and turns them into scores."""

  def update(self, outputs: Mapping[str, np.ndarray]) -> None:
    """Takes rows of `Task.predict_step`; only those that are valid."""

  def result(self) -> Dict[str, float]:
    """Returns the scores of all rows taken so far."""


class Report(Protocol):
  """What was loaded into a model."""

  def __str__(self) -> str:
    """Returns one line or a few."""

  def listing(self) -> str:
    """Returns the name of every weight, a line each."""


class Task(Protocol):
  """What one trains and scores.

  The loop knows nothing else of networks, data sets and metrics.

  Attributes:
    config: the whole experiment.
    metric: name of the score that decides which checkpoint is best; higher is
      better.
    loss_names: names of the parts which `loss` returns. They must be known
      before the first step, which has to have room for their sums.
  """

  config: base.Experiment
  metric: str
  loss_names: Sequence[str]

  def save_description(self, directory: str) -> None:
    """Writes what one needs to use the weights, besides `config`.

    Called by the chief whenever a run starts or goes on.

    Args:
      directory: of the run; it exists.
    """

  def build_model(self) -> tf_keras.Model:
    """Returns a model whose weights all exist.

    Called under the strategy's scope: once, or twice with averaged weights.
    Weights which the loss does not reach must not be trainable.
    """

  def initialize(self, model: tf_keras.Model) -> Report:
    """Loads `training.init_checkpoint`."""

  def train_dataset(
    self, start_step: int, input_context: tf.distribute.InputContext
  ) -> tf.data.Dataset:
    """Returns endless batches of one worker, from step `start_step` on.

    Started at step n, it gives what an uninterrupted run would see from n on.
    Batches have `training.batch_size / input_context.num_input_pipelines`
    rows, known statically.
    """

  def loss(
    self, model: tf_keras.Model, batch: Tensors
  ) -> Tuple[tf.Tensor, Tensors]:
    """Returns the loss of a replica's rows, or of a micro-batch of them.

    Args:
      model: from `build_model`.
      batch: rows of `train_dataset`. All randomness must be a stateless
        function of them, so that training does not depend on how a batch is
        shared out.

    Returns:
      The loss, a float32 scalar, mean over the rows; and its parts by name,
      one scalar for each of `loss_names`, to be looked at only.
    """

  def eval_dataset(
    self, input_context: tf.distribute.InputContext
  ) -> tf.data.Dataset:
    """Returns all examples once, as batches of one worker.

    Every worker sees the same number of batches, each with
    `evaluation.batch_size / input_context.num_input_pipelines` rows.
    """

  def first_memory(self, rows: int, seed: tf.Tensor) -> Dict[str, tf.Tensor]:
    """Returns what `predict_step` is given with the first batch.

    Args:
      rows: of a replica's batches.
      seed: int64 scalar; all randomness of an evaluation is a function of it.
    """

  def predict_step(
    self, model: tf_keras.Model, batch: Tensors, memory: Tensors
  ) -> Tuple[Dict[str, tf.Tensor], Dict[str, tf.Tensor]]:
    """Returns a replica's answers.

    Args:
      model: from `build_model`.
      batch: rows of `eval_dataset`.
      memory: from the step before, whose rows were these as well; or from
        `first_memory`.

    Returns:
      Tensors whose first axis is the rows. Among them `valid`, bool [b], which
      is False on rows that only fill a batch up. And the memory for the next
      step, of the same shapes and types as the one given.
    """

  def new_scorer(self, run: int) -> Scorer:
    """Returns a scorer that has seen nothing, for the run of that number."""

  def pictures(
    self, model: tf_keras.Model, strategy: tf.distribute.Strategy
  ) -> Dict[str, Any]:
    """Returns pictures of how the model does: name -> uint8 [H, W, 3].

    Called by all workers, outside `strategy.run`: the task calls that itself.
    """
