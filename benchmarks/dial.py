"""The dial of a diffusion model: its score against steps, td and time.

  python -m benchmarks.dial --model_dir=runs/shapes
  python -m benchmarks.dial --model_dir=runs/shapes --steps=5,20 --td=0,2,5

Scores one checkpoint with each number of steps and each td, on the evaluation
split of its experiment. Prints a table with the milliseconds of an image, and
draws score against steps into --output.
"""

import copy
import itertools
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf
from absl import app, flags
from PIL import Image

from configs import base, loading, run_settings
from models import pix2seq_d
from panoptic import png
from panoptic.console import command_line
from panoptic.drawing import curves
from tasks import factory, images, scorer
from tasks import predictor as predictor_lib
from training import evaluator as evaluator_lib
from training import strategy as strategy_lib
from training import validation


class Score(NamedTuple):
  """A setting and what it gives.

  Attributes:
    td: Asymmetric time interval.
    steps: Of the sampler.
    scores: By name; the first is the one that counts.
    milliseconds: Of an image or frame, without compilation.
  """

  td: float
  steps: int
  scores: dict[str, float]
  milliseconds: float


def turn(
  predictor: predictor_lib.Predictor,
  steps: Sequence[int],
  tds: Sequence[float],
) -> Iterator[Score]:
  """Scores each setting in turn.

  Args:
    predictor: The model, with its experiment and classes.
    steps: Numbers of steps.
    tds: Asymmetric time intervals.

  Raises:
    FileNotFoundError: If there are no data.
    ValueError: If something does not fit, before anything is scored.
  """
  configs = []
  for td, number in itertools.product(tds, steps):
    config = copy.deepcopy(predictor.config)
    sampler = {'sampler': {'td': td, 'steps': number}}
    loading.override(config, {'evaluation': sampler}, 'the flags')
    validation.validate(config)
    configs.append(config)
  strategy = strategy_lib.create('one_device')
  for config in configs:
    task = factory.create(config, '', predictor.classes)
    yield _score(task, predictor.model, strategy)


def _score(
  task: images.ImageTask,
  model: pix2seq_d.Pix2SeqD,
  strategy: tf.distribute.Strategy,
) -> Score:
  batches: list[float] = []
  evaluator = evaluator_lib.Evaluator(
    task, model, strategy, lambda: batches.append(time.perf_counter())
  )
  scores = evaluator.evaluate(tf.constant(-1))
  seconds = [b - a for a, b in itertools.pairwise(batches)]
  if not seconds:  # The only batch has compiled.
    start = time.perf_counter()
    evaluator.evaluate(tf.constant(-1))
    seconds = [time.perf_counter() - start]
  settings = task.config.evaluation
  return Score(
    settings.sampler.td,
    settings.sampler.steps,
    {name: float(value) for name, value in scores.items()},
    1e3 * statistics.median(seconds) / settings.batch_size,
  )


def report(
  config: base.Experiment, found: Iterator[Score], output: str
) -> Iterator[str]:
  """Writes the chart of all scores, and yields the lines of a table.

  Args:
    config: The experiment.
    found: From `turn`.
    output: Path of the PNG.
  """
  metric = scorer.metric_of(config).main_score
  rows: list[Score] = []
  for score in found:
    if not rows:
      yield f'| td | steps | ms an image | {" | ".join(score.scores)} |'
      yield '|---' * (3 + len(score.scores)) + '|'
    rows.append(score)
    numbers = f'{score.td:g} | {score.steps} | {score.milliseconds:.1f}'
    values = ' | '.join(f'{value:.1f}' for value in score.scores.values())
    yield f'| {numbers} | {values} |'
  lines = []
  for td in dict.fromkeys(row.td for row in rows):
    of_td = sorted(
      (row.steps, row.scores[metric]) for row in rows if row.td == td
    )
    lines.append(curves.Curve(f'td {td:g}', *zip(*of_td, strict=True)))
  title = f'{metric} by steps of {config.evaluation.sampler.name}'
  png.save(output, Image.fromarray(curves.chart(title, lines)))
  yield f'\n{output} shows {metric} by steps.'


def _define_flags() -> None:
  command_line.define_path('model_dir', '', 'Folder of the run.')
  command_line.define_path(
    'checkpoint', '', "Another checkpoint than the run's newest."
  )
  command_line.define_path(
    'output', '', 'PNG to write; default: dial.png of --model_dir.'
  )
  flags.DEFINE_list('steps', ['1', '2', '5', '10', '20', '40'], 'Steps.')
  flags.DEFINE_list('td', ['0', '2', '5'], 'Asymmetric time intervals.')
  flags.DEFINE_string('params_override', '', 'Fields to change.')


def _run() -> None:
  values = flags.FLAGS
  model_dir, output = values.model_dir, values.output
  if not model_dir and not (values.checkpoint and output):
    raise ValueError('Give --model_dir, or --checkpoint and --output.')
  output = output or os.path.join(model_dir, 'dial.png')
  steps = _numbers('steps', values.steps, int)
  tds = _numbers('td', values.td, float)
  run = run_settings.folder_of_run(values.checkpoint) or model_dir
  predictor = predictor_lib.load(run, values.checkpoint, values.params_override)
  found = turn(predictor, steps, tds)
  for line in report(predictor.config, found, output):
    print(line, flush=True)


def _numbers(name: str, texts: Sequence[str], kind: type) -> list:
  try:
    return [kind(text) for text in texts]
  except ValueError:
    raise ValueError(
      f'--{name}={",".join(texts)} is no list of numbers: write 1,2,5.'
    ) from None


def main(argv) -> None:
  """Prints the table, and draws the chart."""
  command_line.run(argv, _run)


if __name__ == '__main__':
  _define_flags()
  app.run(main)
