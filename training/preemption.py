"""Ends a run in good order on SIGTERM, the signal of a preemption."""

import signal
from typing import Any

import tensorflow as tf
from absl import logging

from training import strategy as strategy_lib


class Preempted(Exception):
  """The run ends because of a SIGTERM, and its state is saved."""


class PreemptionWatcher:
  """Notes a SIGTERM while the context is entered.

  A step in progress is never interrupted: the loop asks after each one.
  """

  def __init__(self, strategy: tf.distribute.Strategy):
    """Notes nothing yet.

    Args:
      strategy: With several workers, one that gets the signal ends them all.
    """
    self._received = False
    self._old_handler: Any = None
    self._count = None
    if strategy_lib.is_multi_worker(strategy):

      @tf.function(autograph=False)
      def count(received):
        per_replica = strategy.run(lambda: tf.identity(received))
        return strategy.reduce(
          tf.distribute.ReduceOp.SUM, per_replica, axis=None
        )

      self._count = count

  def __enter__(self):
    self._old_handler = signal.signal(signal.SIGTERM, self._note)
    return self

  def __exit__(self, *_):
    signal.signal(signal.SIGTERM, self._old_handler)

  def _note(self, *_):
    logging.warning('SIGTERM: the run ends after the current loop of steps.')
    self._received = True

  def requested(self) -> bool:
    """Whether any worker got the signal; all workers must ask together."""
    if self._count is None:
      return self._received
    return bool(self._count(tf.constant(float(self._received))) > 0)
