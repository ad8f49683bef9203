"""The interface between a task and the training loop."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
import tf_keras

from configs import base
from models import load_report

Tensors = Mapping[str, tf.Tensor]


class Scorer(Protocol):
  """Collects predictions on the host and computes scores from them."""

  def update(self, outputs: Mapping[str, np.ndarray]) -> None:
    """Takes the valid rows of `Task.predict_step`."""

  def result(self) -> dict[str, float]:
    """Returns the scores of all rows taken so far."""


class Task(Protocol):
  """A model with its data and its scores.

  The loop knows networks, data sets and metrics only through this interface.

  Attributes:
    config: The whole experiment.
    metric: Name of the score that decides which checkpoint is best; higher is
      better.
  """

  config: base.Experiment
  metric: str

  @property
  def loss_names(self) -> Sequence[str]:
    """Names of the parts that `loss` returns, known before the first step."""

  def save_description(self, directory: str) -> None:
    """Writes what is needed to use the weights, besides `config`.

    The chief calls it whenever a run starts or goes on.

    Args:
      directory: The run's folder, which exists.
    """

  def build_model(self) -> tf_keras.Model:
    """Returns a model whose weights all exist.

    Called under the strategy's scope: once, or twice with averaged weights.
    Weights that the loss does not depend on must not be trainable.
    """

  def initialize(self, model: tf_keras.Model) -> load_report.Reports:
    """Loads `training.init_checkpoint`."""

  def train_dataset(
    self, start_step: int, input_context: tf.distribute.InputContext
  ) -> tf.data.Dataset:
    """Returns endless batches of one worker, from step `start_step` on.

    From step n on it gives the batches that an uninterrupted run sees from n
    on. Batches have `training.batch_size / input_context.num_input_pipelines`
    rows, known statically.
    """

  def loss(
    self, model: tf_keras.Model, batch: Tensors, compile_parts: bool = False
  ) -> tuple[tf.Tensor, Tensors]:
    """Returns the loss of a replica's rows, or of a micro-batch of them.

    Args:
      model: From `build_model`.
      batch: Rows of `train_dataset`. All randomness must be a stateless
        function of them, so that training does not depend on how a batch is
        split among replicas.
      compile_parts: Whether to compile with XLA the parts in which replicas do
        not exchange values.

    Returns:
      The loss, a float32 scalar, mean over the rows; and its parts by name, one
      scalar for each of `loss_names`, which are only logged.
    """

  def eval_dataset(
    self, input_context: tf.distribute.InputContext
  ) -> tf.data.Dataset:
    """Returns all examples once, as batches of one worker.

    Every worker sees the same number of batches, each with
    `evaluation.batch_size / input_context.num_input_pipelines` rows.
    """

  def initial_state(self, rows: int, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the state of `predict_step` before the first batch.

    Args:
      rows: Number of rows of a replica's batches.
      seed: int64 scalar; all randomness of an evaluation is a function of it.
    """

  def predict_step(
    self, model: tf_keras.Model, batch: Tensors, state: Tensors
  ) -> tuple[dict[str, tf.Tensor], Tensors]:
    """Returns a replica's predictions.

    Args:
      model: From `build_model`.
      batch: Rows of `eval_dataset`.
      state: From the step before, or from `initial_state`.

    Returns:
      Tensors whose first axis is the rows, among them `valid`, bool `[b]`,
      which is False on rows that only fill a batch. And the state for the next
      step, of the same shapes and types as the given one.
    """

  def new_scorer(self, run: int) -> Scorer:
    """Returns a new scorer for the evaluation of that number."""

  def visualize(
    self, model: tf_keras.Model, strategy: tf.distribute.Strategy
  ) -> dict[str, Any]:
    """Returns drawings of predictions: uint8 `[H, W, 3]` by name.

    Called by all workers, outside `strategy.run`: the task calls it itself.
    """
