"""The folders of runs: what each has trained by, scored and drawn."""

import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from configs import base, loading, run_settings
from panoptic import files, natural_order
from training.run_folder import json_lines

_DEEPEST = 4  # Folders in folders, below the one that is searched.


class Score(NamedTuple):
  """The record of an evaluation.

  Attributes:
    step: Of the training.
    settings: 'evaluation.*', 'data.eval_split' and 'data.eval_examples', by
      the names of fields.
    metrics: Scores by name.
  """

  step: int
  settings: dict[str, Any]
  metrics: dict[str, float]


class Run(NamedTuple):
  """A run.

  Attributes:
    folder: Its folder.
    config: The experiment that it trained by.
    scores: Those of training first, then those of --mode=eval.
    repeated: Evaluations in the longest series of --mode=eval.
    pictures: Paths by name and step, as ('predictions', 500).
  """

  folder: str
  config: base.Experiment
  scores: list[Score]
  repeated: int
  pictures: dict[tuple[str, int], str]


def find(root: str) -> list[str]:
  """The folders of runs in a folder, or it alone if it is one.

  Raises:
    ValueError: If there is no such folder.
  """
  if not files.is_folder(root):
    raise ValueError(
      f'{root} is no folder: name the one that holds the runs by --runs.'
    )
  return natural_order.in_order(_find(root, _DEEPEST))


def _find(folder: str, depth: int) -> Iterator[str]:
  entries = files.scan(folder)
  if any(entry.name == loading.FILE for entry in entries):
    yield folder
  elif depth:
    for entry in entries:
      if entry.is_folder:
        yield from _find(entry.path, depth - 1)


def read(folder: str) -> Run:
  """Reads a run's folder.

  Raises:
    OSError, ValueError: If a file is malformed; names it.
  """
  config = run_settings.choose('', '', folder).config
  scores = []
  for name in ('metrics.jsonl', 'eval.jsonl'):
    path = os.path.join(folder, name)
    scores += [_score(line, config, path) for line in json_lines.read(path)]
  counts: dict[Any, int] = {}
  for line in json_lines.read(os.path.join(folder, 'runs.jsonl')):
    counts[line.get('key')] = counts.get(line.get('key'), 0) + 1
  return Run(
    folder, config, scores, max(counts.values(), default=0), _pictures(folder)
  )


def _score(line: dict[str, Any], config: base.Experiment, path: str) -> Score:
  """A line of a record; an old one, without settings, has the run's."""
  step, metrics = line.get('step'), line.get('metrics')
  evaluation = line.get('evaluation', {})
  if not (
    isinstance(step, int)
    and isinstance(metrics, dict)
    and all(isinstance(value, (int, float)) for value in metrics.values())
    and isinstance(evaluation, dict)
  ):
    raise ValueError(
      f'{path} has a line that is no score, with another "step", "metrics" or '
      '"evaluation" than a run writes: remove the line.'
    )
  settings = evaluation_settings(loading.flat(config))
  if evaluation:
    given = loading.flat_values({'evaluation': evaluation})
    settings |= {
      'data.eval_split': line.get('split'),
      'data.eval_examples': line.get('eval_examples'),
      **{k: v for k, v in given.items() if k.startswith('evaluation.')},
    }
  return Score(step, settings, metrics)


def evaluation_settings(fields: dict[str, Any]) -> dict[str, Any]:
  """Those of an experiment's fields that say how it is scored."""
  return {
    name: value
    for name, value in fields.items()
    if name.startswith(('evaluation.', 'data.eval_'))
  }


def _pictures(folder: str) -> dict[tuple[str, int], str]:
  folder = os.path.join(folder, 'pictures')
  found = {}
  for entry in files.scan(folder) if files.is_folder(folder) else ():
    if match := re.fullmatch(r'(.+)-(\d+)\.png', entry.name):
      found[match[1], int(match[2])] = entry.path
  return found
