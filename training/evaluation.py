"""The modes that score checkpoints: `eval` and `continuous_eval`."""

import os

import orbit
import tensorflow as tf

from configs import loading
from models import checkpoint_file, checkpoints
from tasks import task as task_lib
from training import evaluator as evaluator_lib
from training import log, repeated_evaluation, reporting, workers
from training import state as state_lib
from training import strategy as strategy_lib
from training.run_folder import closing


def evaluate(
  task: task_lib.Task,
  strategy: tf.distribute.Strategy,
  model_dir: str,
  checkpoint: str = '',
) -> dict[str, float]:
  """Scores one checkpoint.

  With `evaluation.runs` above 1, each finished run is recorded in `runs.jsonl`
  of the run's folder. Runs that are recorded there are not repeated.

  Args:
    task: The task.
    strategy: Where to compute.
    model_dir: Folder of the run, where the scores go.
    checkpoint: Path, or folder; '' for the newest of `model_dir`, or else the
      weights of `training.init_checkpoint`.

  Returns:
    The scores by name; of several runs their means, and as `<name>_std` their
    standard deviations, with one degree of freedom less than runs.

  Raises:
    FileNotFoundError: If there is nothing to be scored.
    ValueError: If the checkpoint is of another model, or if the workers were
      started differently.
  """
  path = checkpoints.find_or_newest(checkpoint, model_dir)
  if path is None and not task.config.training.init_checkpoint:
    raise FileNotFoundError(
      f'There is no checkpoint in {model_dir!r}'
      f'{checkpoints.did_you_mean(model_dir)}; train first, or give '
      '--checkpoint or --init_checkpoint.'
    )
  workers.check_same(
    strategy, task.config, mode='eval', checkpoint=os.path.basename(path or '')
  )
  if path:
    loading.check_same_model(task.config, os.path.dirname(path))
  # Data or settings may differ from the run's own: a record of its own.
  evaluation = _Evaluation(task, strategy, model_dir, separate=True)
  if task.config.evaluation.runs == 1:
    scores = evaluation.score(path, keep_best=False)
  else:
    record = os.path.join(model_dir, 'runs.jsonl')
    scores = evaluation.score_runs(path, record)
  if path:
    closing.log_lines(task.config, strategy, model_dir, checkpoint)
  return scores


def continuous_eval(
  task: task_lib.Task,
  strategy: tf.distribute.Strategy,
  model_dir: str,
  timeout: float | None = None,
) -> None:
  """Scores each new checkpoint of a run in training, until its last step.

  Args:
    task: The task.
    strategy: Where to compute.
    model_dir: Folder of the run.
    timeout: Seconds without a new checkpoint after which to give up.

  Raises:
    ValueError: If the run is of another model, or with several workers, which
      might find different checkpoints.
  """
  if strategy_lib.is_multi_worker(strategy):
    raise ValueError(
      '--mode=continuous_eval is one process: use another --strategy.'
    )
  loading.check_same_model(task.config, model_dir)
  if not checkpoints.newest(model_dir):
    log.log(
      f'Waiting for the first checkpoint in {model_dir!r}'
      f'{checkpoints.did_you_mean(model_dir)}'
    )
  evaluation = _Evaluation(task, strategy, model_dir)
  for path in tf.train.checkpoints_iterator(model_dir, timeout=timeout):
    loading.check_same_model(task.config, model_dir)
    step = int(path.rsplit('-', 1)[1])
    if not evaluation.reporter.is_recorded(step):
      # A second score of a step, by other settings, is not comparable.
      is_first = step not in evaluation.reporter.evaluated_steps
      try:
        evaluation.score(path, keep_best=is_first)
      except (tf.errors.NotFoundError, ValueError):
        if tf.io.gfile.exists(f'{path}.index'):
          raise  # Something else is wrong.
        log.log(f'{path} was deleted before it was scored.')
    if step >= task.config.training.steps:
      break
  closing.log_lines(task.config, strategy, model_dir)


class _Evaluation:
  """A model to be restored and scored."""

  def __init__(self, task, strategy, model_dir, separate=False):
    config = task.config
    self._task = task
    self._strategy = strategy
    state_lib.prepare(config.training)
    with strategy.scope():
      self._step = orbit.utils.create_global_step()
      self._model = task.build_model()
    self.reporter = reporting.Reporter(task, strategy, model_dir, separate)
    self._evaluator = evaluator_lib.Evaluator(task, self._model, strategy)
    self._controller = orbit.Controller(
      global_step=self._step,
      evaluator=self._evaluator,
      strategy=strategy,
      eval_summary_dir=reporting.summary_dir(strategy, model_dir, 'eval'),
    )

  def score(self, path: str | None, keep_best: bool = True) -> dict[str, float]:
    """Scores a checkpoint; None: `training.init_checkpoint`."""
    self._restore(path)
    scores = self._evaluate()
    self._report(scores, path if keep_best else None)
    return scores

  def score_runs(self, path: str | None, record: str) -> dict[str, float]:
    """Scores a checkpoint under each run's noise, except for recorded runs."""
    self._restore(path)
    config = self._task.config
    keys = repeated_evaluation.keys(config, path or '')
    done = repeated_evaluation.read(record, keys)
    for run in range(config.evaluation.runs):
      if run in done:
        log.log(f'run {run} is in {record} already.')
        continue
      self._evaluator.run = run
      done[run] = self._evaluate()
      metric = self._task.metric
      log.log(
        f'run {run + 1}/{config.evaluation.runs} | {metric} '
        f'{done[run][metric]:.5g}'
      )
      if strategy_lib.is_chief(self._strategy):
        repeated_evaluation.append(record, keys[0], run, done[run])
    scores = repeated_evaluation.summarize(
      [done[run] for run in range(config.evaluation.runs)]
    )
    self._report(scores, None)
    return scores

  def _evaluate(self) -> dict[str, float]:
    with log.without_orbits():
      return self._controller.evaluate()

  def _report(self, scores: dict[str, float], path: str | None) -> None:
    step = int(self._step.numpy())
    # Before the scores are recorded: if killed in between, it is drawn again.
    self.reporter.visualize(step, self._model)
    self.reporter.scores(step, scores, path)

  def _restore(self, path: str | None) -> None:
    with self._strategy.scope():
      if path:
        weights = self._task.config.evaluation.weights
        file = checkpoint_file.Reader(path)
        if file.holds_weights_alone:
          self._load(file, weights)
          return
        part = {'ema' if weights == 'ema' else 'model': self._model}
        checkpoint = tf.train.Checkpoint(step=self._step, **part)
        try:
          status = checkpoint.restore(path)
          status.assert_existing_objects_matched().expect_partial()
        except AssertionError as error:
          raise _lacks_weights(path) from error
        except tf.errors.DataLossError as error:
          raise ValueError(
            f'The checkpoint {path} is damaged: copy it again, or give another '
            'one by --checkpoint.'
          ) from error
        log.log(f'Evaluating the {weights} weights of {path}.')
      else:
        log.log(f'Evaluating {self._task.initialize(self._model)}')

  def _load(self, file: checkpoint_file.Reader, weights: str) -> None:
    """Takes the weights of a file that holds nothing else."""
    report = checkpoints.load(self._model, file.prefix, weights)
    if report.missing or report.mismatched:
      raise _lacks_weights(file.prefix)
    self._step.assign(file.step())
    log.log(f'Evaluating {report}')


def _lacks_weights(path: str) -> ValueError:
  return ValueError(
    f'The checkpoint {path} lacks weights of this model: use the configuration '
    'it was made with.'
  )
