"""Writes README's table of results from docs/results.json.

  python -m benchmarks.results.readme
  python -m benchmarks.results.readme --tables=tables.json

With --tables, the JSON of `benchmarks.paper_tables`, its scores first go into
docs/results.json, in place of those of the same rows.

docs/results.json has 'rows', each with 'experiment', 'metric', and either what
stands in the table ('paper' and 'here') or 'published', keys of rows of the
paper's tables. 'scores' has what was measured here for these, by key and
metric.
"""

import json
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from absl import app, flags

from benchmarks.results import published, tables
from panoptic import files
from panoptic.console import command_line

_ROOT = pathlib.Path(__file__).parents[2]
README, RESULTS = _ROOT / 'README.md', _ROOT / 'docs' / 'results.json'
# What stands around the table.
START = '<!-- Written by python -m benchmarks.results.readme. -->\n\n'
END = '\n<!-- End. -->\n'

_HEAD = ('| experiment | metric | paper | here |', '|---|---|---|---|')


def read(path: str | os.PathLike) -> Any:
  """The content of a JSON file.

  Raises:
    OSError, ValueError: If it is none; names it.
  """
  try:
    return json.loads(files.read_text(path))
  except json.JSONDecodeError as error:
    raise ValueError(
      f'{os.fspath(path)} is not JSON ({error}): write it again.'
    ) from error


def taken_over(
  results: Mapping[str, Any], found: Mapping[str, Any], path: str
) -> dict[str, Any]:
  """Results with the scores of `paper_tables`, where it has them.

  Args:
    results: Content of docs/results.json.
    found: Content of the JSON of `benchmarks.paper_tables`.
    path: Of that JSON, for the message.

  Raises:
    ValueError: If it is another JSON.
  """
  scores = {key: dict(of) for key, of in results['scores'].items()}
  try:
    for row in found['rows']:
      if row['here'] is not None:
        score = {name: row['here'][name] for name in ('mean', 'deviation')}
        score['runs'] = len(row['here']['runs'])
        scores.setdefault(row['key'], {})[row['metric']] = score
  except (KeyError, TypeError) as error:
    raise ValueError(
      f'There are no scores in {path}: give the file that '
      '"python -m benchmarks.paper_tables --json=..." writes.'
    ) from error
  return {**results, 'scores': scores}


def table(results: Mapping[str, Any]) -> Iterator[str]:
  """The lines of README's table."""
  yield from _HEAD
  for row in results['rows']:
    paper, here = row.get('paper', '-'), row.get('here', tables.NOT_RUN)
    if 'published' in row:
      paper, here = _published(row['published'], results['scores'])
    yield f'| {row["experiment"]} | {row["metric"]} | {paper} | {here} |'


def _published(
  keys: Sequence[str], scores: Mapping[str, Any]
) -> tuple[str, str]:
  """The cells of the paper's scores and of ours, of some of its rows."""
  paper, here = [], []
  for key in keys:
    of_table = published.table_of(key.split()[0])
    (row,) = (row for row in of_table.rows if row.key == key)
    for metric, value in zip(of_table.metrics, row.scores, strict=True):
      paper.append('?' if value is None else f'{value:.1f}')
      found = scores.get(key, {}).get(metric)
      here.append(tables.cell(**found) if found else tables.NOT_RUN)
  if set(here) == {tables.NOT_RUN}:
    here = here[:1]
  return ' / '.join(paper), ' / '.join(here)


def with_table(text: str, results: Mapping[str, Any]) -> str:
  """A text whose table, between `START` and `END`, is that of the results.

  Raises:
    ValueError: If the text has no such place.
  """
  before, start, rest = text.partition(START)
  _, end, after = rest.partition(END)
  if not start or not end:
    raise ValueError(
      f'{README} has no place for the table: put the lines "{START.strip()}" '
      f'and "{END.strip()}" around it.'
    )
  lines = '\n'.join(table(results))
  return f'{before}{start}{lines}\n{end}{after}'


def _define_flags() -> None:
  command_line.define_path(
    'tables', '', 'JSON of benchmarks.paper_tables, whose scores to take over.'
  )


def _run() -> None:
  path = flags.FLAGS.tables
  results = read(RESULTS)
  text = files.read_text(README)
  if path:
    results = taken_over(results, read(path), path)
  written = with_table(text, results)
  if path:
    files.write_text(RESULTS, f'{json.dumps(results, indent=2)}\n')
  files.write_text(README, written)


def main(argv) -> None:
  """Writes README.md, and with --tables docs/results.json."""
  command_line.run(argv, _run)


if __name__ == '__main__':
  _define_flags()
  app.run(main)
