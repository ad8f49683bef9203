"""The modes of a run: train, with or without evaluation, and evaluate."""

import os
from typing import Optional

import orbit
import tensorflow as tf

from training import (
  checkpointing,
  experiment,
  preemption,
  progress,
  reporting,
)
from training import evaluator as evaluator_lib
from training import state as state_lib
from training import strategy as strategy_lib
from training import task as task_lib
from training import trainer as trainer_lib


def train(
  task: task_lib.Task,
  strategy: tf.distribute.Strategy,
  model_dir: str,
  evaluate: bool = False,
) -> state_lib.State:
  """Trains up to `training.steps`, going on from where the folder's run is.

  Args:
    task: the task.
    strategy: where to compute.
    model_dir: folder of the run.
    evaluate: also evaluate, every `evaluation.every` steps and after the last.

  Returns:
    The state at the end: at `training.steps`, or earlier if SIGTERM came.

  Raises:
    ValueError: if the folder holds a run of another model, or if XLA is asked
      for where it does not work.
    FloatingPointError: if a loss or a gradient is not finite; names the step
      and the last good checkpoint.
  """
  config = task.config
  if config.training.jit_compile:
    strategy_lib.check_jit_compile(strategy)
  if tf.train.latest_checkpoint(model_dir):
    experiment.check_same_model(config, model_dir)
  state = state_lib.build(task, strategy)
  progress.say(
    checkpointing.restore_or_initialize(state, task, strategy, model_dir)
  )
  if strategy_lib.is_chief(strategy):
    experiment.save(config, model_dir)
  with preemption.Watcher(strategy) as watcher:
    session = _Session(task, strategy, model_dir, state, watcher, evaluate)
    try:
      session.run()
    except preemption.Stop:
      progress.say(
        f'Ended by SIGTERM at step {int(state.step.numpy())}, which is saved; '
        'the same command goes on.'
      )
  return state


class _Session:
  """Training from start or resumption to the end."""

  def __init__(self, task, strategy, model_dir, state, watcher, evaluate):
    self._config = task.config
    self._state = state
    self._watcher = watcher
    self._start = self._step()
    self._saver = checkpointing.Saver(
      model_dir, state, strategy, self._config.training.keep_checkpoints
    )
    self._reporter = reporting.Reporter(task, strategy, model_dir)
    self._trainer = trainer_lib.Trainer(task, state, strategy)
    uses_average = self._config.evaluation.weights == 'ema'
    self._shown = state.average if uses_average else state.model
    evaluator = None
    if evaluate:
      evaluator = evaluator_lib.Evaluator(
        task, self._shown, strategy, self._stop_if_told
      )
    self._controller = orbit.Controller(
      global_step=state.step,
      trainer=self._trainer,
      evaluator=evaluator,
      strategy=strategy,
      train_actions=[
        self._stop_if_not_finite,
        self._show_progress,
        self._save,
        self._show_pictures,
        lambda _: self._stop_if_told(),
      ],
      steps_per_loop=self._steps_per_loop,
      summary_dir=_summary_dir(strategy, model_dir, 'train'),
      eval_summary_dir=_summary_dir(strategy, model_dir, 'eval'),
    )

  def run(self) -> None:
    # The evaluation at the step of the last checkpoint may be missing.
    self._evaluate()
    total = self._config.training.steps
    every = self._config.evaluation.every or total
    while (step := self._step()) < total:
      self._controller.train(min(total, step - step % every + every))
      self._evaluate()

  def _step(self) -> int:
    return int(self._state.step.numpy())

  def _steps_per_loop(self, step: int) -> int:
    if step == self._start:
      return 1  # Compiles, which must not spoil the speed of the others.
    training = self._config.training
    periods = (
      training.log_every,
      training.checkpoint_every,
      training.pictures_every,
    )
    return min(period - step % period for period in periods if period)

  def _stop_if_not_finite(self, _) -> None:
    step = self._trainer.first_bad_step()
    if step >= 0:
      good = self._saver.latest()
      raise FloatingPointError(
        f'The loss or the gradient of step {step} is not finite; the last good '
        f'checkpoint is {good or "none, for none was due yet"}.'
      )

  def _show_progress(self, _) -> None:
    output = self._trainer.output
    self._controller.summary_manager.write_summaries(output)
    total = self._config.training.steps
    step = self._step()
    if step == self._start + 1:
      seconds = progress.duration(output['seconds_per_step'])
      progress.say(
        f'step {step}/{total} | {seconds} with compilation | '
        f'loss {output["loss"]:.5g}'
      )
    else:
      progress.say(progress.training_line(step, total, output))

  def _save(self, _) -> None:
    training = self._config.training
    step = self._step()
    if step % training.checkpoint_every == 0 or step == training.steps:
      self._saver.save()

  def _show_pictures(self, _) -> None:
    every = self._config.training.pictures_every
    step = self._step()
    if every and step % every == 0:
      self._reporter.pictures(step, self._shown)

  def _stop_if_told(self) -> None:
    if self._watcher.requested():
      self._saver.save()
      raise preemption.Stop

  def _evaluate(self) -> None:
    """Evaluates if it is time and not done yet."""
    step = self._step()
    every = self._config.evaluation.every or self._config.training.steps
    is_due = step == self._config.training.steps or step % every == 0
    if (
      self._controller.evaluator is None
      or not step
      or not is_due
      or step in self._reporter.evaluated_steps
    ):
      return
    checkpoint = self._saver.save()
    self._reporter.scores(step, self._controller.evaluate(), checkpoint)
    self._reporter.pictures(step, self._shown)
    # The time of the evaluation is not to count as training.
    self._controller.step_timer = None


def evaluate(
  task: task_lib.Task,
  strategy: tf.distribute.Strategy,
  model_dir: str,
  checkpoint: str = '',
) -> dict[str, float]:
  """Scores one checkpoint.

  Args:
    task: the task.
    strategy: where to compute.
    model_dir: folder of the run, where the scores go.
    checkpoint: path, or folder; '' for the newest of `model_dir`, or else the
      weights of `training.init_checkpoint`.

  Returns:
    The scores by name.

  Raises:
    FileNotFoundError: if there is nothing to be scored.
    ValueError: if the checkpoint is of another model.
  """
  path = checkpointing.find(checkpoint, model_dir)
  if path is None and not task.config.training.init_checkpoint:
    raise FileNotFoundError(
      f'There is no checkpoint in {model_dir!r}; train first, or give '
      '--checkpoint or training.init_checkpoint.'
    )
  if path:
    experiment.check_same_model(task.config, os.path.dirname(path))
  return _Evaluation(task, strategy, model_dir).score(path)


def continuous_eval(
  task: task_lib.Task,
  strategy: tf.distribute.Strategy,
  model_dir: str,
  timeout: Optional[float] = None,
) -> None:
  """Scores each new checkpoint of a run in training, until its last step.

  Args:
    task: the task.
    strategy: where to compute.
    model_dir: folder of the run.
    timeout: seconds without a new checkpoint after which to give up.

  Raises:
    ValueError: if the run is of another model.
  """
  experiment.check_same_model(task.config, model_dir)
  evaluation = _Evaluation(task, strategy, model_dir)
  for path in tf.train.checkpoints_iterator(model_dir, timeout=timeout):
    experiment.check_same_model(task.config, model_dir)
    step = int(path.rsplit('-', 1)[1])
    if step not in evaluation.reporter.evaluated_steps:
      try:
        evaluation.score(path)
      except tf.errors.NotFoundError:
        progress.say(f'{path} was deleted before it was scored.')
    if step >= task.config.training.steps:
      return


class _Evaluation:
  """A model to be restored and scored."""

  def __init__(self, task, strategy, model_dir):
    config = task.config
    self._task = task
    self._strategy = strategy
    state_lib.prepare(config.training.precision, config.training.seed)
    with strategy.scope():
      self._step = orbit.utils.create_global_step()
      self._model = task.build_model()
    self.reporter = reporting.Reporter(task, strategy, model_dir)
    self._controller = orbit.Controller(
      global_step=self._step,
      evaluator=evaluator_lib.Evaluator(task, self._model, strategy),
      strategy=strategy,
      eval_summary_dir=_summary_dir(strategy, model_dir, 'eval'),
    )

  def score(self, path: Optional[str]) -> dict[str, float]:
    """Scores a checkpoint; None: `training.init_checkpoint`."""
    with self._strategy.scope():
      if path:
        weights = self._task.config.evaluation.weights
        part = {'ema' if weights == 'ema' else 'model': self._model}
        checkpoint = tf.train.Checkpoint(step=self._step, **part)
        status = checkpoint.restore(path)
        status.assert_existing_objects_matched().expect_partial()
        progress.say(f'Evaluating the {weights} weights of {path}.')
      else:
        progress.say(f'Evaluating {self._task.initialize(self._model)}')
    scores = self._controller.evaluate()
    step = int(self._step.numpy())
    self.reporter.scores(step, scores, path)
    self.reporter.pictures(step, self._model)
    return scores


def _summary_dir(strategy, model_dir, name) -> Optional[str]:
  return (
    os.path.join(model_dir, name) if strategy_lib.is_chief(strategy) else None
  )
