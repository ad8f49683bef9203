"""The paper's tables with the scores of runs beside them.

A score enters a table if its run was trained by the registered experiment and
scored by the settings of the row. Of the scores of one run for one row the last
one counts. Several runs of one experiment, which differ in their seeds, are
repetitions: the table has their mean and their standard deviation.
"""

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.results import published

if TYPE_CHECKING:  # Text needs no TensorFlow, which this imports.
  from benchmarks.results import comparison

NOT_RUN = 'not run'


class Found(NamedTuple):
  """Scores of equal runs: `values` in percent, from the folders `runs`."""

  values: list[float]
  runs: list[str]

  @property
  def mean(self) -> float:
    return statistics.fmean(self.values)

  @property
  def deviation(self) -> float | None:
    """With one degree of freedom less than runs; None for one run."""
    return statistics.stdev(self.values) if len(self.values) > 1 else None


# By the key of a row and the metric.
Scores = Mapping[tuple[str, str], Found]


def collect(judgements: Iterable['comparison.Judgement']) -> Scores:
  """The scores of the runs that are what the paper's tables have."""
  scores: dict[tuple[str, str], Found] = {}
  for judgement in judgements:
    if judgement.differences:
      continue
    last = {r.key: r.metrics for r in judgement.results if not r.differences}
    for key, metrics in last.items():
      for metric, value in metrics.items():
        if math.isfinite(value):
          found = scores.setdefault((key, metric), Found([], []))
          found.values.append(value)
          found.runs.append(judgement.run.folder)
  return scores


def cell(mean: float, deviation: float | None, runs: int) -> str:
  """Text of a score, such as '62.1' or '62.1 ± 0.3 (3 runs)'."""
  if deviation is None:
    return f'{mean:.1f}'
  return f'{mean:.1f} ± {deviation:.1f} ({runs} runs)'


def _ours(row: published.Row, metric: str, scores: Scores) -> str:
  if not row.experiment:
    return '-'
  found = scores.get((row.key, metric))
  if found is None:
    return NOT_RUN
  return cell(found.mean, found.deviation, len(found.values))


def markdown(table: published.Table, scores: Scores) -> Iterator[str]:
  """The lines of a table, two columns for each metric: paper and here."""
  names = [published.NAMES.get(metric, metric) for metric in table.metrics]
  head = [*table.columns]
  for name in names:
    head += [f'{name}, paper', f'{name}, here']
  yield f'## {table.title}'
  yield ''
  yield f'| {" | ".join(head)} |'
  yield '|---' * len(head) + '|'
  for row in table.rows:
    cells = [*row.cells]
    for metric, value in zip(table.metrics, row.scores, strict=True):
      paper = 'not known' if value is None else f'{value:.1f}'
      cells += [paper, _ours(row, metric, scores)]
    yield f'| {" | ".join(cells)} |'


def run_lines(
  judgements: Sequence['comparison.Judgement'], unreadable: Mapping[str, str]
) -> Iterator[str]:
  """What each run is, and why its scores are in no table if they are not."""
  yield '## Runs'
  yield ''
  if not judgements and not unreadable:
    yield 'There are none.'
  for folder, reason in unreadable.items():
    yield f'* `{folder}` cannot be read: {reason}'
  others: dict[str, list[str]] = {}
  for judgement in judgements:
    folder, experiment = judgement.run.folder, judgement.experiment
    if experiment in published.EXPERIMENTS:
      yield f'* `{folder}`: {"; ".join(_sentences(judgement))}.'
    else:
      others.setdefault(experiment, []).append(f'`{folder}`')
  for experiment, folders in others.items():
    yield (
      f'* Most like {experiment}, which is in none of these tables: '
      f'{", ".join(folders)}.'
    )


def _sentences(judgement: 'comparison.Judgement') -> Iterator[str]:
  experiment = judgement.experiment
  if judgement.differences:
    yield (
      f'not {experiment}, so in no table; it differs in '
      f'{differences(judgement.differences)}'
    )
  else:
    yield f'{experiment}, as registered'
  for result in judgement.results:
    scored = ', '.join(
      f'{published.NAMES.get(name, name)} {result.metrics[name]:.1f}'
      for name in published.table_of(experiment).metrics
      if name in result.metrics
    )
    how = f' as `{result.key}`'
    if result.differences:
      how += f', but for {differences(result.differences)}: in no table'
    yield f'{scored}{how}'
  yield from judgement.remarks


def differences(found: 'comparison.Differences') -> str:
  """Text of fields: 'field: recipe -> run'."""
  return ', '.join(
    f'`{name}`: {_shown(recipe)} -> {_shown(run)}'
    for name, (recipe, run) in found.items()
  )


def _shown(value: Any) -> str:
  return 'null' if value is None else str(value)


def as_json(
  scores: Scores,
  judgements: Sequence['comparison.Judgement'],
  unreadable: Mapping[str, str],
) -> dict[str, Any]:
  """The same as plain values: 'rows', 'runs' and 'unreadable'."""
  rows = [
    {
      'table': table.title,
      'key': row.key,
      'row': dict(zip(table.columns, row.cells, strict=True)),
      'metric': metric,
      'paper': value,
      'here': found_as_json(scores.get((row.key, metric))),
    }
    for table in published.TABLES
    for row in table.rows
    if row.experiment
    for metric, value in zip(table.metrics, row.scores, strict=True)
  ]
  runs = [
    {
      'folder': judgement.run.folder,
      'experiment': judgement.experiment,
      'differences': judgement.differences,
      'remarks': judgement.remarks,
      'results': [_result_as_json(result) for result in judgement.results],
    }
    for judgement in judgements
  ]
  return {'rows': rows, 'runs': runs, 'unreadable': dict(unreadable)}


def found_as_json(found: Found | None) -> dict[str, Any] | None:
  """Mean, deviation and folders of equal runs; None: not run."""
  if found is None:
    return None
  return {'mean': found.mean, 'deviation': found.deviation, 'runs': found.runs}


def _result_as_json(result: 'comparison.Result') -> dict[str, Any]:
  """JSON has no number for what is not finite."""
  metrics = {
    name: value if math.isfinite(value) else None
    for name, value in result.metrics.items()
  }
  return {**result._asdict(), 'metrics': metrics}
