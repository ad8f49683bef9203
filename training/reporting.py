"""Writes the results of evaluations into the run's folder.

metrics.jsonl             a line an evaluation: {"step": 100, "split": "val",
                          "eval_examples": null, "evaluation": {...},
                          "metrics": {...}}, with the settings that it was made
                          by
eval.jsonl                the same for --mode=eval
runs.jsonl                a line a run of --mode=eval, if there are several
best/                     the checkpoint with the highest score
curves.png                losses and scores of the run
pictures/<name>-<step>.png, and the same for TensorBoard
"""

import math
import os
from typing import Any

import tensorflow as tf
import tf_keras

from configs import base, loading
from panoptic import files
from tasks import task as task_lib
from training import checkpointing, log
from training import strategy as strategy_lib
from training.run_folder import curves, json_lines

# Settings of an evaluation that leave its scores as they are.
_IRRELEVANT = tuple(
  f'evaluation.{name}'
  for name in (*base.WITHOUT_SCORES, 'runs', 'write_results')
)


def record(model_dir: str) -> str:
  """Returns the path of a run's record of scores."""
  return os.path.join(model_dir, 'metrics.jsonl')


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
    self._model_dir, self._separate = model_dir, separate
    self._metrics_file = (
      os.path.join(model_dir, 'eval.jsonl') if separate else record(model_dir)
    )
    self._settings = _settings(loading.plain(task.config))
    self._image_dir = os.path.join(model_dir, 'pictures')
    self._image_writer: tf.summary.SummaryWriter | None = None
    self._best = checkpointing.BestCheckpoint(model_dir, task.metric)
    self._records = json_lines.read(self._metrics_file)
    stored = loading.stored(model_dir)
    for line in self._records:
      # Old lines have no settings: the run's were theirs.
      if 'evaluation' not in line and stored is not None:
        line |= _settings(stored)
    self.evaluated_steps = {line['step'] for line in self._records}
    self._drawn_step = -1

  def is_recorded(self, step: int) -> bool:
    """Whether the scores of a step by the settings of now are recorded."""
    wanted = _relevant(self._settings)
    writes = self._settings['evaluation']['write_results']
    return any(
      line['step'] == step
      and _relevant({**self._settings, **line}) == wanted
      and (not writes or line.get('evaluation', {}).get('write_results'))
      for line in self._records
    )

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
    line = {'step': step, **self._settings, 'metrics': scores}
    self._records.append(line)
    if not self._is_chief:
      return
    value = scores[self._task.metric]
    # Copied before it is recorded: if killed in between, it is scored again.
    is_best = checkpoint is not None and self._best.save_if_best(
      checkpoint, step, value
    )
    json_lines.append(self._metrics_file, line)
    note = ' | best so far' if is_best else ''
    if math.isnan(value):
      note = ' | the score is not a number, so it is never the best'
    log.log(log.scores_lines(step, self._task.metric, scores, note))
    if not self._separate:
      self.draw_curves()

  def draw_curves(self) -> None:
    """Draws the losses and scores of the run so far."""
    if self._is_chief:
      names = ('loss', *self._task.loss_names)
      # Others are counts, whose size is another.
      losses = [name for name in names if name.startswith('loss')]
      curves.draw(self._model_dir, losses, record(self._model_dir))

  def visualize(self, step: int, model: tf_keras.Model) -> None:
    """Lets the task draw visualizations, and writes them.

    Args:
      step: Number of updates made.
      model: The model whose predictions are drawn.
    """
    if step == self._drawn_step:
      return
    self._drawn_step = step
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


def _settings(values: dict[str, Any]) -> dict[str, Any]:
  """Returns the settings of an evaluation as a record has them.

  Args:
    values: An experiment as nested dictionaries.
  """
  data = values.get('data', {})
  return {
    'split': data.get('eval_split'),
    'eval_examples': data.get('eval_examples'),
    'evaluation': values.get('evaluation', {}),
  }


def _relevant(line: dict[str, Any]) -> dict[str, Any]:
  """Returns the settings of a record that decide its scores, by name."""
  fields = loading.flat_values({'evaluation': line['evaluation']})
  return {
    'split': line['split'],
    'eval_examples': line['eval_examples'],
    **{
      name: value
      for name, value in fields.items()
      if name.startswith('evaluation.') and name not in _IRRELEVANT
    },
  }
