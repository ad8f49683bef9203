"""Writes the results of evaluations into the run's folder.

metrics.jsonl             a line an evaluation: {"step": 100, "metrics": {...}}
eval.jsonl                the same for --mode=eval, whose data and sampler may
                          differ: with "split" and "evaluation"
runs.jsonl                a line a run of --mode=eval, if there are several
best/                     the checkpoint with the highest score
pictures/<name>-<step>.png, and the same for TensorBoard
"""

import os

import tensorflow as tf
import tf_keras

from panoptic import files
from tasks import task as task_lib
from training import checkpointing, json_lines, log
from training import strategy as strategy_lib


def summary_dir(
  strategy: tf.distribute.Strategy, model_dir: str, name: str
) -> str | None:
  """Returns where this process writes for TensorBoard; None: nowhere."""
  if not strategy_lib.is_chief(strategy):
    return None
  return os.path.join(model_dir, name)


def check_fresh(model_dir: str) -> None:
  """Refuses a folder with scores but no checkpoints.

  A new run there would skip the evaluations of old steps, and compare its
  scores with the old best.

  Args:
    model_dir: Folder of a run that starts at step 0.

  Raises:
    ValueError: If there are such scores; names them.
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
  """Writes scores and visualizations; only the chief writes files."""

  def __init__(
    self,
    task: task_lib.Task,
    strategy: tf.distribute.Strategy,
    model_dir: str,
    separate: bool = False,
  ):
    """Reads the records of earlier evaluations.

    Args:
      task: Draws the visualizations; names the score that counts.
      strategy: Decides whether this process is the chief.
      model_dir: Folder of the run.
      separate: Whether the scores are those of --mode=eval. They go to their
        own file, with the settings that they depend on.
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
    self._image_dir = os.path.join(model_dir, 'pictures')
    self._image_writer: tf.summary.SummaryWriter | None = None
    self._best = checkpointing.BestCheckpoint(model_dir, task.metric)
    records = json_lines.read(self._metrics_file)
    self.evaluated_steps = {line['step'] for line in records}

  def scores(
    self, step: int, scores: dict[str, float], checkpoint: str | None
  ) -> None:
    """Records scores, and keeps the checkpoint if it is the best.

    Args:
      step: Number of updates made.
      scores: Scores by name.
      checkpoint: Path of the scored weights; None: do not keep them.
    """
    self.evaluated_steps.add(step)
    if not self._is_chief:
      return
    value = scores[self._task.metric]
    # Copied before it is recorded: if killed in between, it is scored again.
    is_best = checkpoint is not None and self._best.save_if_best(
      checkpoint, step, value
    )
    json_lines.append(
      self._metrics_file, {'step': step, **self._settings, 'metrics': scores}
    )
    log.log(
      f'step {step} | {self._task.metric} {value:.5g}'
      + (' | best so far' if is_best else '')
    )

  def visualize(self, step: int, model: tf_keras.Model) -> None:
    """Lets the task draw visualizations, and writes them.

    Args:
      step: Number of updates made.
      model: The model whose predictions are drawn.
    """
    images = self._task.visualize(model, self._strategy)
    if not images or not self._is_chief:
      return
    if self._image_writer is None:
      self._image_writer = tf.summary.create_file_writer(self._image_dir)
    with self._image_writer.as_default(step=step):
      for name, image in images.items():
        tf.summary.image(name, image[None])
        path = os.path.join(self._image_dir, f'{name}-{step}.png')
        tf.io.gfile.makedirs(os.path.dirname(path))
        with files.replace_when_written(path) as temporary:
          tf.io.write_file(temporary, tf.io.encode_png(image))
    self._image_writer.flush()
