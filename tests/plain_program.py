"""Runs main with its flags and with plain graphs, maybe to be killed.

The environment's KILL_AT is the step whose data are never read: they wait for
the first checkpoint, and then the process kills itself with signal 9.
"""

import os
import signal
import time

import plain_graphs
import program
import tensorflow as tf
from absl import flags

from data import pipeline

_train_dataset = pipeline.train_dataset


def _deadly_dataset(dataset, config, start_step=0, input_context=None):
  def look(step):
    if step == int(os.environ['KILL_AT']):
      while not tf.train.latest_checkpoint(flags.FLAGS.model_dir):
        time.sleep(0.1)
      os.kill(os.getpid(), signal.SIGKILL)
    return step

  def pass_on(step, batch):
    with tf.control_dependencies([tf.numpy_function(look, [step], tf.int64)]):
      return tf.nest.map_structure(tf.identity, batch)

  batches = _train_dataset(dataset, config, start_step, input_context)
  return batches.enumerate(start_step).map(pass_on)


def start(arguments):
  plain_graphs.rewrite(False)
  plain_graphs.leave_stacks_out()
  if 'KILL_AT' in os.environ:
    pipeline.train_dataset = _deadly_dataset
  program.start(arguments)
