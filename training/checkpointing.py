"""Checkpoints: saved every so often, the best kept, and what a run starts from.

A run's folder holds

  checkpoint, ckpt-<step>.*     the last few states of the training
  best/                         a copy of the best scored one, with score.json
                                and experiment.yaml
  initialization.txt            where each of its first weights was read
"""

import json
import os
from typing import Optional

import tensorflow as tf
from absl import logging

from training import experiment, files
from training import state as state_lib
from training import strategy as strategy_lib
from training import task as task_lib


def newest(directory: str) -> Optional[str]:
  """The newest checkpoint of a folder, or None if it has none.

  Raises:
    ValueError: if there are checkpoints, but which is the newest is not told:
      to start afresh would be to delete them one by one.
  """
  path = tf.train.latest_checkpoint(directory)
  if path:
    return path
  left = tf.io.gfile.glob(os.path.join(directory, 'ckpt-*.index'))
  if left:
    names = [os.path.basename(path).removesuffix('.index') for path in left]
    name = max(names, key=lambda name: (len(name), name))  # By the step.
    raise ValueError(
      f'{directory} has {name}, but its file "checkpoint" is missing or names '
      'one that is gone: copy that file, too, or write into it '
      f'model_checkpoint_path: "{name}".'
    )
  return None


class Saver:
  """Saves the state of a run in its folder.

  All workers must call `save`, since variables that differ between replicas are
  averaged then; what workers other than the chief write is thrown away.
  """

  def __init__(
    self,
    model_dir: str,
    state: state_lib.State,
    strategy: tf.distribute.Strategy,
    keep: int,
  ):
    """Prepares the saving.

    Args:
      model_dir: folder of the run.
      state: what to save; restored or initialized before.
      strategy: the strategy under which the state was built.
      keep: number of checkpoints that stay.
    """
    self._state = state
    self._saved_step = -1
    if newest(model_dir):
      self._saved_step = int(state.step.numpy())
    self._scratch = None
    directory = model_dir
    if not strategy_lib.is_chief(strategy):
      worker = strategy.cluster_resolver.task_id
      self._scratch = directory = os.path.join(model_dir, f'.worker-{worker}')
    self._model_dir = model_dir
    self._manager = tf.train.CheckpointManager(
      state.checkpoint(), directory, max_to_keep=keep
    )

  def latest(self) -> Optional[str]:
    """Returns the newest checkpoint of the run, or None."""
    return newest(self._model_dir)

  def save(self) -> str:
    """Saves the state, unless this step is saved already.

    Returns:
      Path of the checkpoint in the run's folder.
    """
    step = int(self._state.step.numpy())
    path = os.path.join(self._model_dir, f'ckpt-{step}')
    if step == self._saved_step:
      return path
    self._saved_step = step
    self._manager.save(checkpoint_number=step)
    if self._scratch:
      tf.io.gfile.rmtree(self._scratch)
    else:
      logging.info('Saved %s.', path)
    return path


def restore_or_initialize(
  state: state_lib.State,
  task: task_lib.Task,
  strategy: tf.distribute.Strategy,
  model_dir: str,
) -> str:
  """Sets the state from what comes first of the following.

  1. The newest checkpoint in the run's folder: the run goes on.
  2. `training.init_checkpoint`: its weights, at step 0, with averages that
     begin at these weights.
  3. Nothing: fresh weights.

  Args:
    state: the state to be set.
    task: loads `init_checkpoint`.
    strategy: the strategy under which the state was built.
    model_dir: folder of the run; 2. and 3. are told in `initialization.txt`,
      weight by weight.

  Returns:
    One sentence that says which of them it was.
  """
  path = newest(model_dir)
  with strategy.scope():
    if path:
      try:
        state.checkpoint().restore(path).assert_existing_objects_matched()
      except (AssertionError, ValueError, tf.errors.OpError) as error:
        raise ValueError(
          f'The checkpoint {path} does not fit this experiment, or is damaged: '
          'use the configuration it was made with, or another --model_dir.'
        ) from error
      return f'Resumed from {path} at step {int(state.step.numpy())}.'
    if task.config.training.init_checkpoint:
      report = task.initialize(state.model)
      state.start_average()
      listing = report.listing()
      source = ', '.join(task.config.training.init_checkpoint)
      source = f'the weights of {source}: {report}'
    else:
      listing = source = 'fresh weights.'
  if strategy_lib.is_chief(strategy):
    tf.io.gfile.makedirs(model_dir)
    files.write_text(os.path.join(model_dir, 'initialization.txt'), listing)
  return f'Started at step 0 from {source}'


def find(checkpoint: str, model_dir: str) -> Optional[str]:
  """Finds the checkpoint to be evaluated.

  Args:
    checkpoint: a checkpoint, or a folder whose newest one is meant; '' for the
      newest one of `model_dir`.
    model_dir: folder of the run, or ''.

  Returns:
    The path, or None if none was asked for and there is none.

  Raises:
    FileNotFoundError: if the one asked for does not exist.
  """
  if not checkpoint:
    return newest(model_dir) if model_dir else None
  path = checkpoint
  if tf.io.gfile.isdir(checkpoint):
    path = newest(checkpoint)
  if not path or not tf.io.gfile.exists(f'{path}.index'):
    raise FileNotFoundError(
      f'There is no checkpoint {checkpoint!r}; give a folder or a path like '
      '"<model_dir>/ckpt-1000".'
    )
  return path


class Best:
  """Keeps a copy of the checkpoint with the highest score."""

  def __init__(self, model_dir: str, metric: str):
    """Reads the best score so far.

    Args:
      model_dir: folder of the run.
      metric: name of the score.
    """
    self._model_dir = model_dir
    self._directory = os.path.join(model_dir, 'best')
    self._metric = metric
    self._score_file = os.path.join(self._directory, 'score.json')
    self.value = -float('inf')
    if tf.io.gfile.exists(self._score_file):
      with tf.io.gfile.GFile(self._score_file) as file:
        stored = json.load(file)
      if stored['metric'] == metric:
        self.value = stored['value']

  def offer(self, checkpoint: str, step: int, value: float) -> bool:
    """Copies a checkpoint to `best/` if its score is higher than all before.

    Args:
      checkpoint: path of the checkpoint.
      step: its step.
      value: its score. NaN is never best.

    Returns:
      Whether it is the best, and still there to be copied.
    """
    if not value > self.value:
      return False
    # The index comes last: without it a checkpoint does not exist.
    sources = sorted(tf.io.gfile.glob(f'{checkpoint}.*'))
    if f'{checkpoint}.index' not in sources:
      return False  # The run has deleted it in the meantime.
    tf.io.gfile.makedirs(self._directory)
    old_files = tf.io.gfile.glob(os.path.join(self._directory, 'ckpt-*'))
    targets = [
      os.path.join(self._directory, os.path.basename(source))
      for source in sources
    ]
    try:
      for source, target in zip(sources, targets, strict=True):
        tf.io.gfile.copy(source, f'{target}.tmp', overwrite=True)
    except tf.errors.NotFoundError:
      return False
    self.value = value
    name = os.path.basename(checkpoint)
    for target in targets:
      tf.io.gfile.rename(f'{target}.tmp', target, overwrite=True)
    files.write_text(
      os.path.join(self._directory, 'checkpoint'),
      f'model_checkpoint_path: "{name}"\n',
    )
    experiment.save_copy(self._model_dir, self._directory)
    score = {'step': step, 'metric': self._metric, 'value': value}
    files.write_text(self._score_file, json.dumps(score))
    for path in set(old_files) - set(targets):
      tf.io.gfile.remove(path)
    return True
