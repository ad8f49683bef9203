"""Small controlled experiments: does what the paper claims hold in small?

  python -m benchmarks.claims --folder=runs/claims
  python -m benchmarks.claims --claims=td,steps --steps=500 --seeds=2

For each claim, variants of the experiment `shapes` that differ only in the
claim's fields are trained for --steps steps with --seeds seeds, each in a
process of its own. Scores are kept in --folder; the same command goes on after
the last one. At the end a page of Markdown compares them with what the paper
says. All claims are eleven trainings a seed; at the speed of `shapes`, 2000
steps take about six minutes on two CPU cores, and larger masks longer.
"""

import os
import signal
import sys
from collections.abc import Sequence

from absl import app, flags

from benchmarks.controlled import claims as claims_lib
from benchmarks.controlled import jobs, page
from configs import choices, loading
from panoptic import files
from panoptic.console import command_line
from training import log, validation


def run(
  names: Sequence[str],
  setup: jobs.Setup,
  seeds: int,
  folder: str,
  path: str,
  runner: jobs.Runner,
) -> None:
  """Runs what is not done yet, and writes the page.

  Args:
    names: Of claims; 'all' alone for all.
    setup: What all runs share.
    seeds: Number of seeds.
    folder: Where runs and scores go.
    path: Of the page.
    runner: Runs main.py.

  Raises:
    ValueError: If something is wrong with these, before anything is run; or,
      after the page is written, if runs failed.
  """
  if not path.endswith('.md'):
    raise ValueError(f'--page={path} is no name of a page: end it with .md.')
  if files.is_folder(path):
    raise ValueError(f'--page={path} is a folder: name a file in it.')
  if files.is_file(folder):
    raise ValueError(f'--folder={folder} is a file: name a folder.')
  if list(names) == ['all']:
    names = list(claims_lib.CLAIMS)
  claims = [choices.choose(claims_lib.CLAIMS, n, 'claim') for n in names]
  jobs.check(claims, setup, folder)
  planned = jobs.plan(claims, seeds)
  _validate(planned, setup)
  left = sum(job not in jobs.done(folder, setup) for job in planned)
  log.log(f'{len(planned)} scores, of which {left} are to be made.')
  failures: dict[jobs.Job, str] = {}
  for number, (job, why) in enumerate(
    jobs.run(planned, setup, folder, runner), start=1
  ):
    log.log(f'{number}/{left} | {page.named(job)} | {why or "done"}')
    if why:
      failures[job] = why
  done = jobs.done(folder, setup)
  page.write(path, claims, setup, seeds, done, failures)
  log.log(f'{path} is written.')
  if failures:
    raise ValueError(
      f'{len(failures)} of {left} scores could not be made, and {path} says '
      'why; the same command tries them again.'
    )


def _validate(planned, setup: jobs.Setup) -> None:
  """Finds fields that are wrong before minutes are spent."""
  for fields in dict.fromkeys(
    ','.join(filter(None, (jobs.common_fields(setup, 0), *parts)))
    for job in planned
    for parts in ((job.train, job.evaluate), (job.pretrain,))
  ):
    config = loading.load(claims_lib.EXPERIMENT, '', fields)
    validation.validate(config)


def _define_flags() -> None:
  command_line.define_path('folder', 'runs/claims', 'Where runs and scores go.')
  command_line.define_path(
    'page', '', 'The page to write; default: claims.md in --folder.'
  )
  flags.DEFINE_list(
    'claims', ['all'], f"'all', or some of {', '.join(claims_lib.CLAIMS)}."
  )
  flags.DEFINE_integer('steps', 2000, 'Of every training.', lower_bound=1)
  flags.DEFINE_integer('seeds', 3, 'Of every variant.', lower_bound=1)
  flags.DEFINE_string('params_override', '', 'Fields to change in all runs.')


def _run() -> None:
  values = flags.FLAGS
  run(
    values.claims,
    jobs.Setup(values.steps, values.params_override),
    values.seeds,
    values.folder,
    values.page or os.path.join(values.folder, 'claims.md'),
    jobs.run_main,
  )


def main(argv) -> None:
  """Runs the flags."""
  signal.signal(signal.SIGTERM, lambda *_: sys.exit('Ended by SIGTERM.'))
  command_line.run(argv, _run)


if __name__ == '__main__':
  _define_flags()
  app.run(main)
