"""Lets a run end in good order when it is told to: SIGTERM."""

import signal

import tensorflow as tf
from absl import logging

from training import strategy as strategy_lib


class Stop(Exception):
  """The run was told to end, and its state is saved."""


class Watcher:
  """Notes a SIGTERM while it is entered, for the loop to ask about.

  A step in progress is never interrupted.
  """

  def __init__(self, strategy: tf.distribute.Strategy):
    self._told = False
    self._old_handler = None
    self._count = None
    if strategy_lib.is_multi_worker(strategy):

      @tf.function
      def count(told):
        per_replica = strategy.run(lambda: tf.identity(told))
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
    logging.info('SIGTERM: the run will end after the current loop of steps.')
    self._told = True

  def requested(self) -> bool:
    """Whether any worker was told to end; all workers must ask together."""
    if self._count is None:
      return self._told
    return bool(self._count(tf.constant(float(self._told))) > 0)
