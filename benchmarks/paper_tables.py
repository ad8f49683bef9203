"""Prints the paper's tables with the scores of runs beside them.

  python -m benchmarks.paper_tables --runs=runs
  python -m benchmarks.paper_tables --runs=runs --json=tables.json \
    --figures=figures

Reads the folders of runs in --runs. A run is the registered experiment that it
differs from in the fewest fields. If a field that decides what is learned, or
what is scored, differs, the run is listed with these fields, and its scores are
in no table. What was not run says so.
"""

import json
import os
from collections.abc import Iterator

from absl import app, flags

from benchmarks.results import (
  comparison,
  figures,
  published,
  run_folders,
  tables,
)
from panoptic import files
from panoptic.console import command_line

_HEAD = """# The paper's tables, and what was run here

"here" has the scores of runs that were trained by the registered experiment and
scored as the row says; of several, mean and standard deviation.
"""


def read(root: str) -> tuple[list[comparison.Judgement], dict[str, str]]:
  """Reads the folders of runs.

  Args:
    root: The folder that they are in.

  Returns:
    What each is; and, by folder, why others cannot be read.

  Raises:
    ValueError: If there is no such folder.
  """
  judgements, unreadable = [], {}
  for folder in run_folders.find(root):
    try:
      judgements.append(comparison.judge(run_folders.read(folder)))
    except (OSError, ValueError) as error:
      unreadable[folder] = str(error)
  return judgements, unreadable


def section(table: published.Table, scores: tables.Scores) -> str:
  """A table with scores of runs, and the commands that fill it: Markdown."""
  commands = ['```bash', *published.commands(table), '```']
  return '\n'.join([*tables.markdown(table, scores), '', *commands])


def run(
  root: str, json_path: str = '', figures_folder: str = ''
) -> Iterator[str]:
  """Reads runs, and writes what is asked for.

  Args:
    root: Folder of the runs.
    json_path: Where to write the same as JSON; '' for nowhere.
    figures_folder: Folder for pages of figures; '' for none.

  Yields:
    Lines of Markdown.

  Raises:
    OSError, ValueError: If one of these cannot be used.
  """
  if json_path and files.is_folder(json_path):
    raise ValueError(f'--json={json_path} is a folder: name a file in it.')
  if figures_folder and files.is_file(figures_folder):
    raise ValueError(f'--figures={figures_folder} is a file: name a folder.')
  judgements, unreadable = read(root)
  scores = tables.collect(judgements)
  if json_path:
    content = tables.as_json(scores, judgements, unreadable)
    files.make_folders(os.path.dirname(json_path) or '.')
    files.write_text(json_path, f'{json.dumps(content, indent=2)}\n')
  yield _HEAD
  for table in published.TABLES:
    yield from (*tables.markdown(table, scores), '')
  yield from tables.run_lines(judgements, unreadable)
  if figures_folder:
    yield '\n## Figures\n'
    for sentence in figures.write(judgements, figures_folder):
      yield f'* {sentence}'


def _define_flags() -> None:
  command_line.define_path('runs', 'runs', 'Folder of the runs.')
  command_line.define_path(
    'json', '', 'Where to write the same as JSON; default: nowhere.'
  )
  command_line.define_path(
    'figures', '', "Folder for pages like the paper's Figures 11 to 15."
  )


def _run() -> None:
  values = flags.FLAGS
  for line in run(values.runs, values.json, values.figures):
    print(line, flush=True)


def main(argv) -> None:
  """Prints the tables, and writes what the flags ask for."""
  command_line.run(argv, _run)


if __name__ == '__main__':
  _define_flags()
  app.run(main)
