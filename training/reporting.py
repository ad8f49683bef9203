"""What an evaluation leaves in the run's folder.

metrics.jsonl             a line an evaluation: {"step": 100, "metrics": {...}}
eval.jsonl                the same of --mode=eval, which may be of other data or
                          sampled otherwise: with "split" and "evaluation"
runs.jsonl                a line each of the runs of --mode=eval, if several
best/                     the checkpoint with the highest score
pictures/<name>-<step>.png, and the same for TensorBoard
"""

import os
from typing import Dict, Optional, Set

import tensorflow as tf
import tf_keras

from training import checkpointing, files, progress
from training import strategy as strategy_lib
from training import task as task_lib


def summary_dir(
  strategy: tf.distribute.Strategy, model_dir: str, name: str
) -> Optional[str]:
  """Returns where this process writes for TensorBoard; None: nowhere."""
  if not strategy_lib.is_chief(strategy):
    return None
  return os.path.join(model_dir, name)


def check_fresh(model_dir: str) -> None:
  """Refuses a folder with the scores of a run that cannot go on.

  New scores would be taken for done, or worse than the old best.

  Args:
    model_dir: folder of a run that is to start at step 0.

  Raises:
    ValueError: if there are such scores; names them.
  """
  left = [
    name
    for name in ('metrics.jsonl', 'best')
    if tf.io.gfile.exists(os.path.join(model_dir, name))
  ]
  if left:
    raise ValueError(
      f'{model_dir} has {" and ".join(left)} of a run whose checkpoints are '
      'gone: choose another --model_dir, or move them away to start afresh.'
    )


class Reporter:
  """Writes scores and pictures; only the chief touches the folder."""

  def __init__(
    self,
    task: task_lib.Task,
    strategy: tf.distribute.Strategy,
    model_dir: str,
    separate: bool = False,
  ):
    """Reads what earlier evaluations have left.

    Args:
      task: makes the pictures, names the score that counts.
      strategy: tells whether this process is the chief.
      model_dir: folder of the run.
      separate: whether the scores are those of --mode=eval, which go to a file
        of their own with what they depend on.
    """
    self._task = task
    self._strategy = strategy
    self._is_chief = strategy_lib.is_chief(strategy)
    record = 'eval.jsonl' if separate else 'metrics.jsonl'
    self._metrics_file = os.path.join(model_dir, record)
    self._settings = {}
    if separate:
      self._settings = {
        'split': task.config.data.eval_split,
        'evaluation': task.config.evaluation.as_dict(),
      }
    self._picture_dir = os.path.join(model_dir, 'pictures')
    self._picture_writer = None
    self._best = checkpointing.Best(model_dir, task.metric)
    self.evaluated_steps: Set[int] = set()
    for line in files.read_json_lines(self._metrics_file):
      self.evaluated_steps.add(line['step'])

  def scores(
    self, step: int, scores: Dict[str, float], checkpoint: Optional[str]
  ) -> None:
    """Records scores, and keeps the checkpoint if it is the best.

    Args:
      step: number of updates made.
      scores: by name.
      checkpoint: where the scored weights come from; None: not to be kept.
    """
    self.evaluated_steps.add(step)
    if not self._is_chief:
      return
    value = scores[self._task.metric]
    # Recorded when it is copied: killed in between, it is scored again.
    is_best = bool(checkpoint) and self._best.offer(checkpoint, step, value)
    files.append_json(
      self._metrics_file, {'step': step, **self._settings, 'metrics': scores}
    )
    progress.say(
      f'step {step} | {self._task.metric} {value:.5g}'
      + (' | best so far' if is_best else '')
    )

  def pictures(self, step: int, model: tf_keras.Model) -> None:
    """Lets the task make pictures, and writes them.

    Args:
      step: number of updates made.
      model: the model to be shown.
    """
    pictures = self._task.pictures(model, self._strategy)
    if not pictures or not self._is_chief:
      return
    if self._picture_writer is None:
      self._picture_writer = tf.summary.create_file_writer(self._picture_dir)
    with self._picture_writer.as_default(step=step):
      for name, picture in pictures.items():
        tf.summary.image(name, picture[None])
        path = os.path.join(self._picture_dir, f'{name}-{step}.png')
        tf.io.gfile.makedirs(os.path.dirname(path))
        tf.io.write_file(f'{path}.tmp', tf.io.encode_png(picture))
        tf.io.gfile.rename(f'{path}.tmp', path, overwrite=True)
    self._picture_writer.flush()
