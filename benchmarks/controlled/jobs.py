"""Trains and scores the variants of claims, each by a process of its own.

`results.jsonl` in a folder has a line for every score, beside the settings that
it was made by. What has a line is not run again.
"""

import hashlib
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from benchmarks.controlled import claims as claims_lib
from training.run_folder import json_lines

_MAIN = pathlib.Path(__file__).parents[2] / 'main.py'
_LONGEST = 80  # Characters of a folder's name that say what the run is.

# Runs main.py with flags; raises `Failed`.
Runner = Callable[[Sequence[str]], None]


class Failed(Exception):
  """A process ended with an error; the message is its line."""


class Setup(NamedTuple):
  """What all runs share.

  Attributes:
    steps: Of every training.
    override: Fields that differ from the experiment in all runs, or ''.
  """

  steps: int
  override: str = ''


class Job(NamedTuple):
  """A score to be made: the fields of a variant, and a seed."""

  train: str
  evaluate: str
  pretrain: str | None
  seed: int


def common_fields(setup: Setup, seed: int) -> str:
  """The fields that all runs of a seed have in common."""
  fields = [
    f'training.steps={setup.steps}',
    f'training.seed={seed}',
    f'training.checkpoint_every={min(500, setup.steps)}',
    'training.keep_checkpoints=1',
    f'optimizer.warmup_steps={min(100, setup.steps // 10)}',
    'evaluation.num_visualized=0',
  ]
  return _joined(*fields, setup.override)


def names(override: str) -> set[str]:
  """The names of the fields that an override changes."""
  return set(re.findall(r'(?:^|,)\s*([\w.]+)\s*=', override))


def check(
  claims: Sequence[claims_lib.Claim], setup: Setup, folder: str
) -> None:
  """Refuses fields that the runs set themselves, and impossible folders.

  Raises:
    ValueError: One sentence.
  """
  given = names(setup.override)
  ours = names(common_fields(setup._replace(override=''), 0))
  if taken := sorted(given & ours):
    raise ValueError(
      f'--params_override changes {", ".join(taken)}, which every run sets '
      'itself: leave it out, or use --steps and --seeds.'
    )
  for claim in claims:
    for variant in claim.variants:
      changed = names(_joined(variant.train, variant.evaluate))
      if taken := sorted(given & (changed | names(variant.pretrain or ''))):
        raise ValueError(
          f'--params_override changes {", ".join(taken)}, which the claim '
          f'{claim.name} varies: leave it out, or choose others by --claims.'
        )
  if re.search(r'[,=\[\]{}\s\'"#]', folder):
    raise ValueError(
      f'--folder={folder!r} has a character that a list of fields cannot hold: '
      'choose a name of letters, digits, ".", "-" and "_".'
    )


def plan(claims: Sequence[claims_lib.Claim], seeds: int) -> list[Job]:
  """All jobs, each once; those of a seed, and of a run, follow each other."""
  jobs = {
    Job(variant.train, variant.evaluate, variant.pretrain, seed): None
    for seed in range(seeds)
    for claim in claims
    for variant in claim.variants
  }
  runs = list(dict.fromkeys((j.seed, j.pretrain, j.train) for j in jobs))
  return sorted(jobs, key=lambda j: runs.index((j.seed, j.pretrain, j.train)))


def done(folder: str, setup: Setup) -> dict[Job, dict[str, float]]:
  """The scores in a folder that were made by this setup."""
  found = {}
  for line in json_lines.read(_record(folder)):
    try:
      job = Job(*(line[name] for name in Job._fields))
      if (line['steps'], line['override']) == setup:
        found[job] = line['scores']
    except KeyError as error:
      raise ValueError(
        f'{_record(folder)} has a line without {error}: it is of something '
        'else; choose another --folder.'
      ) from error
  return found


def run(
  jobs: Sequence[Job], setup: Setup, folder: str, runner: Runner
) -> Iterator[tuple[Job, str]]:
  """Runs the jobs that are not done yet.

  A job that fails is left out, and so are those that share its training.

  Args:
    jobs: The jobs.
    setup: What they share.
    folder: Where runs and scores go.
    runner: Runs main.py.

  Yields:
    Each job that was to be run, and why it failed, or ''.
  """
  finished = done(folder, setup)
  trained: dict[str, str] = {}  # Why the training failed, by its folder.

  def train(pretrain: str | None, override: str, seed: int) -> str:
    """Trains a run, once; returns its folder."""
    model_dir = _model_dir(folder, setup, pretrain, override, seed)
    if pretrain is not None:
      first = train(None, pretrain, seed)
      override = _joined(override, f'training.init_checkpoint=[{first}]')
    if model_dir not in trained:
      trained[model_dir] = ''
      fields = _joined(common_fields(setup, seed), override)
      try:
        runner(
          [
            f'--experiment={claims_lib.EXPERIMENT}',
            '--mode=train',
            f'--model_dir={model_dir}',
            f'--params_override={fields}',
          ]
        )
      except Failed as error:
        trained[model_dir] = str(error)
    if trained[model_dir]:
      raise Failed(trained[model_dir])
    return model_dir

  for job in jobs:
    if job in finished:
      continue
    try:
      model_dir = train(job.pretrain, job.train, job.seed)
      runner(
        [
          '--mode=eval',
          f'--model_dir={model_dir}',
          f'--params_override={job.evaluate}',
        ]
      )
      line = {**setup._asdict(), **job._asdict()}
      line['scores'] = _scores(model_dir, setup.steps)
      json_lines.append(_record(folder), line)
      yield job, ''
    except Failed as error:
      yield job, str(error)


def run_main(arguments: Sequence[str]) -> None:
  """Runs main.py in a process, whose lines are printed as they come.

  Raises:
    Failed: If it ends with an error.
  """
  last = 'it printed nothing'
  with subprocess.Popen(
    [sys.executable, str(_MAIN), *arguments],
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
    errors='replace',
    env={'TF_CPP_MIN_LOG_LEVEL': '2', **os.environ},
  ) as process:
    assert process.stdout is not None
    try:
      for line in process.stdout:
        print(f'  {line}', end='', flush=True)
        last = line.strip() or last
    except BaseException:
      process.terminate()  # It saves what it has, and ends.
      raise
  if process.returncode:
    raise Failed(last.removeprefix('FATAL: '))


def _scores(model_dir: str, steps: int) -> dict[str, float]:
  """The scores of the evaluation that has just been made."""
  records: list[Any] = json_lines.read(os.path.join(model_dir, 'eval.jsonl'))
  if not records or records[-1]['step'] != steps:
    raise Failed(f'{model_dir} was not trained up to step {steps}')
  return records[-1]['metrics']


def _record(folder: str) -> str:
  return os.path.join(folder, 'results.jsonl')


def _model_dir(
  folder: str, setup: Setup, pretrain: str | None, train: str, seed: int
) -> str:
  """The folder of a run, whose name says what it is, as far as it can."""
  parts = [f'steps={setup.steps}', train or 'as-registered']
  if pretrain is not None:
    parts.append(f'after-{pretrain}')
  readable = re.sub(r'[^\w.-]+', '_', '-'.join(parts))[:_LONGEST].strip('_')
  text = repr((*setup, pretrain, train))
  digest = hashlib.sha256(text.encode()).hexdigest()[:8]
  return os.path.join(folder, 'runs', f'{readable}-{digest}-seed{seed}')


def _joined(*overrides: str) -> str:
  return ','.join(filter(None, overrides))
