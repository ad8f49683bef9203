"""The modes that train: `train` and `train_and_eval`."""

import contextlib
import os

import orbit
import tensorflow as tf

from configs import base, loading
from models import checkpoints
from tasks import task as task_lib
from training import checkpointing, log, preemption, reporting, workers
from training import evaluator as evaluator_lib
from training import state as state_lib
from training import strategy as strategy_lib
from training import trainer as trainer_lib
from training.run_folder import (
  closing,
  events,
  json_lines,
  leftovers,
  lock,
  training_log,
)


def train(
  task: task_lib.Task,
  strategy: tf.distribute.Strategy,
  model_dir: str,
  evaluate: bool = False,
) -> state_lib.TrainState:
  """Trains up to `training.steps`, from the last checkpoint of the folder on.

  Args:
    task: The task.
    strategy: Where to compute.
    model_dir: Folder of the run.
    evaluate: Whether to evaluate, every `evaluation.every` steps and after the
      last.

  Returns:
    The state at the end: at `training.steps`, or earlier if SIGTERM came.

  Raises:
    ValueError: If the folder holds a run of another model, or scores of one
      without checkpoints; if another process trains there; or if the workers
      were started differently.
    FloatingPointError: If a loss or a gradient is not finite; names the step
      and the last good checkpoint.
  """
  config = task.config
  path = checkpoints.newest(model_dir)
  workers.check_same(
    strategy,
    config,
    mode='train_and_eval' if evaluate else 'train',
    checkpoint=os.path.basename(path or 'none'),
  )
  if path:
    loading.check_same_model(config, model_dir, resumes=True)
    checkpoints.check_resumable(path)
  else:
    reporting.check_fresh(model_dir)
  is_chief = strategy_lib.is_chief(strategy)
  with contextlib.ExitStack() as stack:
    held = stack.enter_context(lock.RunLock(model_dir)) if is_chief else None
    if is_chief:
      json_lines.repair(reporting.record(model_dir))
      leftovers.remove(model_dir, evaluate)
    # All workers read the records before the chief, which waits for them to
    # build the state, writes anything.
    reporter = reporting.Reporter(task, strategy, model_dir)
    state = state_lib.build(task, strategy)
    log.log(
      checkpointing.restore_or_initialize(state, task, strategy, model_dir)
    )
    step = int(state.step.numpy())
    if is_chief:
      _describe(task, model_dir, step)
      _forget(reporter, config, model_dir, step, evaluate)
    watcher = stack.enter_context(preemption.PreemptionWatcher(strategy))
    session = _Session(
      task, strategy, model_dir, state, reporter, watcher, held, evaluate
    )
    try:
      with log.without_orbits():
        session.run()
      closing.log_lines(config, strategy, model_dir, is_scored=evaluate)
    except preemption.Preempted:
      log.log(
        f'Ended by SIGTERM at step {int(state.step.numpy())}, which is saved; '
        'the same command goes on.'
      )
  return state


def _describe(task: task_lib.Task, model_dir: str, step: int) -> None:
  """Stores the experiment and the classes of a run that is not finished."""
  values = loading.stored(model_dir)
  if values is None or step < task.config.training.steps:
    loading.save(task.config, model_dir)
    task.save_description(model_dir)
    return
  there, here = loading.flat_values(values), loading.flat(task.config)
  # An evaluation of the finished run may differ.
  without_effect = [
    name
    for name in here
    if here[name] != there.get(name)
    and not name.startswith(('evaluation.', 'data.eval_', 'data.dir'))
  ]
  if without_effect:
    log.log(
      f'The run is finished, so these have no effect: '
      f'{", ".join(without_effect)}.'
    )


def _forget(
  reporter: reporting.Reporter,
  config: base.Experiment,
  model_dir: str,
  step: int,
  evaluate: bool,
) -> None:
  """Removes the events of what a killed process did after its checkpoint."""

  def is_scored(of_step):
    return of_step in reporter.evaluated_steps

  # The evaluation at this step, if it is missing, is made again.
  last = step - 1 if evaluate and _is_due(config, step) else step
  events.keep(os.path.join(model_dir, 'train'), lambda s: s <= step)
  if evaluate:  # Otherwise another process may be about it.
    events.keep(os.path.join(model_dir, 'eval'), is_scored)
    events.keep(
      os.path.join(model_dir, 'pictures'), lambda s: s <= last or is_scored(s)
    )


def _is_due(config: base.Experiment, step: int) -> bool:
  """Whether a step is one to be evaluated."""
  total = config.training.steps
  return step >= total or step % (config.evaluation.every or total) == 0


class _Session:
  """Training from start or resumption to the end."""

  def __init__(
    self, task, strategy, model_dir, state, reporter, watcher, held, evaluate
  ):
    self._config = task.config
    self._state = state
    self._reporter = reporter
    self._watcher = watcher
    self._lock = held
    self._start = self._step()
    self._total = self._config.training.steps
    self._evaluate_every = self._config.evaluation.every or self._total
    self._saver = checkpointing.Saver(
      model_dir, state, strategy, self._config.training.keep_checkpoints
    )
    self._trainer = trainer_lib.Trainer(task, state, strategy)
    self._training_log = None
    if held is not None:
      self._training_log = training_log.TrainingLog(
        model_dir,
        (*self._trainer.names, 'learning_rate', 'steps_per_second'),
        self._start,
      )
    uses_average = self._config.evaluation.weights == 'ema'
    self._evaluated = state.average if uses_average else state.model
    evaluator = None
    if evaluate:
      evaluator = evaluator_lib.Evaluator(
        task, self._evaluated, strategy, self._stop_if_requested
      )
    self._controller = orbit.Controller(
      global_step=state.step,
      trainer=self._trainer,
      evaluator=evaluator,
      strategy=strategy,
      train_actions=[
        self._stop_if_not_finite,
        self._show_progress,
        self._visualize,  # What is saved is not made again.
        self._save,
        lambda _: self._stop_if_requested(),
      ],
      steps_per_loop=self._steps_per_loop,
      summary_dir=reporting.summary_dir(strategy, model_dir, 'train'),
      eval_summary_dir=reporting.summary_dir(strategy, model_dir, 'eval'),
    )

  def run(self) -> None:
    # The evaluation at the step of the last checkpoint may be missing.
    self._evaluate()
    every = self._evaluate_every
    while (step := self._step()) < self._total:
      self._controller.train(min(self._total, step - step % every + every))
      self._evaluate()

  def _step(self) -> int:
    return int(self._state.step.numpy())

  def _steps_per_loop(self, step: int) -> int:
    if step == self._start:
      return 1  # Its compilation must not spoil the speed of the others.
    training = self._config.training
    periods = (
      training.log_every,
      training.checkpoint_every,
      training.visualize_every,
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
    step = self._step()
    values = dict(output)
    seconds = values.pop('seconds_per_step')
    if step == self._start + 1:
      log.log(
        f'step {step}/{self._total} | {log.duration(seconds)} with compilation '
        f'| loss {output["loss"]:.5g}'
      )
    else:
      values['steps_per_second'] = 1.0 / max(seconds, 1e-9)
      log.log(log.training_line(step, self._total, output))
    if self._training_log is not None:
      self._training_log.append(step, values)

  def _save(self, _) -> None:
    step = self._step()
    every = self._config.training.checkpoint_every
    if step % every == 0 or step == self._total:
      self._saver.save()
      self._reporter.draw_curves()

  def _visualize(self, _) -> None:
    every = self._config.training.visualize_every
    step = self._step()
    if every and step % every == 0:
      self._reporter.visualize(step, self._evaluated)

  def _stop_if_requested(self) -> None:
    if self._lock is not None:
      self._lock.check()
    if self._watcher.requested():
      self._saver.save()
      raise preemption.Preempted

  def _evaluate(self) -> None:
    """Evaluates if it is time and not done yet."""
    step = self._step()
    if (
      self._controller.evaluator is None
      or not step
      or not _is_due(self._config, step)
      or self._reporter.is_recorded(step)
    ):
      return
    # A second score of a step, by other settings, is not comparable.
    is_first = step not in self._reporter.evaluated_steps
    checkpoint = self._saver.save() if is_first else None
    log.log(f'step {step} | evaluating')
    scores = self._controller.evaluate()
    # Before the scores are recorded: if killed in between, it is drawn again.
    self._reporter.visualize(step, self._evaluated)
    self._reporter.scores(step, scores, checkpoint)
    # The time of the evaluation must not count as training.
    self._controller.step_timer = None
