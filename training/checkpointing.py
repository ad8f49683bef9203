"""Checkpoints: saves them, keeps the best, and starts runs from them.

A run's folder holds

  checkpoint, ckpt-<step>.*     the last few states of the training
  best/                         a copy of the best scored one, with score.json
                                and experiment.yaml
  initialization.txt            the checkpoint that gave each first weight
"""

import json
import math
import os

import tensorflow as tf
from absl import logging

from configs import loading
from models import checkpoints
from panoptic import files
from tasks import task as task_lib
from training import state as state_lib
from training import strategy as strategy_lib
from training.run_folder import leftovers


class Saver:
  """Saves the state of a run in its folder.

  All workers must call `save`, since variables that differ between replicas are
  averaged then; what workers other than the chief write is thrown away.
  """

  def __init__(
    self,
    model_dir: str,
    state: state_lib.TrainState,
    strategy: tf.distribute.Strategy,
    keep: int,
  ):
    """Prepares the saving.

    Args:
      model_dir: Folder of the run.
      state: What to save; restored or initialized before.
      strategy: The strategy under which the state was built.
      keep: Number of checkpoints that stay.
    """
    self._state = state
    self._saved_step = -1
    if checkpoints.newest(model_dir):
      self._saved_step = int(state.step.numpy())
    self._scratch = None
    directory = model_dir
    if not strategy_lib.is_chief(strategy):
      worker = strategy.cluster_resolver.task_id
      self._scratch = directory = os.path.join(model_dir, f'.worker-{worker}')
      if tf.io.gfile.exists(directory):  # Of one that was killed.
        tf.io.gfile.rmtree(directory)
    self._model_dir = model_dir
    self._manager = tf.train.CheckpointManager(
      state.checkpoint(), directory, max_to_keep=keep
    )

  def latest(self) -> str | None:
    """Returns the newest checkpoint of the run, or None."""
    return checkpoints.newest(self._model_dir)

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
    try:
      self._manager.save(checkpoint_number=step)
    except Exception:
      if not self._scratch:  # As on a full disk.
        leftovers.remove(self._model_dir, evaluates=False)
      raise
    if self._scratch:
      tf.io.gfile.rmtree(self._scratch)
    else:
      logging.info('Saved %s.', path)
    return path


def restore_or_initialize(
  state: state_lib.TrainState,
  task: task_lib.Task,
  strategy: tf.distribute.Strategy,
  model_dir: str,
) -> str:
  """Restores the state, or gives it first weights. The first that exists of:

  1. The newest checkpoint in the run's folder: the run goes on.
  2. `training.init_checkpoint`: its weights, at step 0. The averages begin at
     these weights.
  3. Fresh weights.

  Args:
    state: The state to be set.
    task: Loads `init_checkpoint`.
    strategy: The strategy under which the state was built.
    model_dir: Folder of the run. In cases 2 and 3 `initialization.txt` there
      gets the source of every weight.

  Returns:
    One sentence that says where the weights come from.

  Raises:
    ValueError: If the run's checkpoint does not fit or is damaged.
  """
  path = checkpoints.newest(model_dir)
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


class BestCheckpoint:
  """Keeps a copy of the checkpoint with the highest score."""

  def __init__(self, model_dir: str, metric: str):
    """Reads the best score so far.

    Args:
      model_dir: Folder of the run.
      metric: Name of the score.
    """
    self._model_dir = model_dir
    self._directory = os.path.join(model_dir, 'best')
    self._metric = metric
    self._score_file = os.path.join(self._directory, 'score.json')
    self.value = -float('inf')
    if tf.io.gfile.exists(self._score_file):
      with tf.io.gfile.GFile(self._score_file) as file:
        stored = json.load(file)
      # Older runs may have stored what is not a number.
      if stored['metric'] == metric and not math.isnan(stored['value']):
        self.value = stored['value']

  def save_if_best(self, checkpoint: str, step: int, value: float) -> bool:
    """Copies a checkpoint to `best/` if its score is higher than all before.

    Args:
      checkpoint: Path of the checkpoint.
      step: Its step.
      value: Its score. NaN is never best.

    Returns:
      Whether it was copied. It is not if it is not the best, or if the run has
      deleted it in the meantime.
    """
    if not value > self.value:
      return False
    # The index is last: a checkpoint without it does not exist.
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
    loading.save_copy(self._model_dir, self._directory)
    score = {'step': step, 'metric': self._metric, 'value': value}
    files.write_text(self._score_file, json.dumps(score))
    for path in set(old_files) - set(targets):
      tf.io.gfile.remove(path)
    return True
