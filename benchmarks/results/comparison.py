"""Is a run one of the paper's experiments, and what differs?"""

import functools
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from benchmarks.results import published, run_folders
from configs import base, loading, run_settings

# Fields that say where and how fast, or what is kept, and not what is learned;
# and the seed of training, by which runs of one experiment differ.
_WITHOUT_EFFECT = frozenset(
  (
    *('data.dir', 'data.source', 'data.cache', 'data.service'),
    *('training.seed', 'training.log_every', 'training.checkpoint_every'),
    *('training.keep_checkpoints', 'training.visualize_every'),
    *('training.jit_compile', 'training.recompute'),
    *(f'evaluation.{name}' for name in base.WITHOUT_SCORES),
    'evaluation.write_results',
  )
)
# Compared by `_start`.
_INIT = 'training.init_checkpoint'

# By the name of a field: its value in the recipe, and in the run.
Differences = dict[str, tuple[Any, Any]]


class Result(NamedTuple):
  """A score of a run.

  Attributes:
    key: Of the row of a table whose settings are the nearest.
    metrics: Scores by name.
    differences: From the settings of that row.
  """

  key: str
  metrics: dict[str, float]
  differences: Differences


class Judgement(NamedTuple):
  """What a run is.

  Attributes:
    run: The run.
    experiment: The registered one that it differs from in the fewest fields.
    differences: In these, as far as they decide what is trained.
    remarks: Sentences.
    results: Scores after the last step; only experiments of the paper's tables
      have them.
  """

  run: run_folders.Run
  experiment: str
  differences: Differences
  remarks: list[str]
  results: list[Result]


def judge(run: run_folders.Run) -> Judgement:
  """Finds out which experiment of the paper a run is, if any."""
  experiment, found = nearest(run.config)
  remarks: list[str] = []
  if experiment not in published.EXPERIMENTS:
    return Judgement(run, experiment, found, remarks, [])
  start, remark = _start(run.config, experiment)
  found |= start
  remarks += remark
  total = run.config.training.steps
  results = [
    _result(score, experiment) for score in run.scores if score.step == total
  ]
  if not results:
    done = max((score.step for score in run.scores), default=0)
    scored = f'scored at step {done}' if done else 'not scored yet'
    remarks.append(f'{scored}, of {total} steps')
  wanted = run.config.evaluation.runs
  if 0 < run.repeated < wanted:
    remarks.append(f'{run.repeated} of {wanted} evaluations are made')
  return Judgement(run, experiment, found, remarks, results)


def nearest(config: base.Experiment) -> tuple[str, Differences]:
  """The registered experiment with the fewest differences, and these."""
  fields = loading.flat(config)
  names = dict.fromkeys((*published.EXPERIMENTS, *loading.names()))
  found = {name: _training(_recipe(name), fields) for name in names}
  name = min(found, key=lambda name: len(found[name]))
  return name, found[name]


@functools.cache
def _recipe(experiment: str, override: str = '') -> Mapping[str, Any]:
  return loading.flat(loading.load(experiment, '', override))


def _training(
  recipe: Mapping[str, Any], fields: Mapping[str, Any]
) -> Differences:
  """Differences that decide what is trained."""
  scoring = run_folders.evaluation_settings({**recipe, **fields})
  left_out = {*scoring, *_WITHOUT_EFFECT, _INIT}
  for data in ('shapes', 'moving_shapes'):
    if data not in (recipe['data.name'], fields['data.name']):
      left_out |= {name for name in fields if name.startswith(f'data.{data}.')}
  if not fields['model.past_masks'] and not recipe['model.past_masks']:
    left_out.add('data.past_frames')
  return _different(recipe, fields, left_out)


def _different(recipe, fields, left_out=_WITHOUT_EFFECT) -> Differences:
  return {
    name: (recipe.get(name), value)
    for name, value in fields.items()
    if name not in left_out and recipe.get(name) != value
  }


def _result(score: run_folders.Score, experiment: str) -> Result:
  """A score, and the row of a table that it is nearest to."""
  table = published.table_of(experiment)
  found = {}
  for row in table.rows:
    if row.experiment != experiment:
      continue
    recipe = run_folders.evaluation_settings(
      dict(_recipe(experiment, row.override))
    )
    found[row.key] = _different(recipe, score.settings)
    wanted = recipe['evaluation.runs']
    # In training there is one evaluation, whatever the field says.
    if wanted > 1 and f'{table.metrics[0]}_std' not in score.metrics:
      found[row.key]['evaluation.runs'] = (wanted, 1)
  key = min(found, key=lambda key: len(found[key]))
  return Result(key, score.metrics, found[key])


def _start(
  config: base.Experiment, experiment: str
) -> tuple[Differences, list[str]]:
  """Whether a run began with the weights of the paper's stages before it.

  Only the experiments that are stored beside such weights can tell.
  """
  wanted = published.STARTS.get(experiment, ())
  given = list(config.training.init_checkpoint)
  if len(given) < len(wanted):
    return {_INIT: (f'weights of {" and ".join(wanted)}', given)}, []
  if not wanted:
    return ({_INIT: ([], given)} if given else {}), []
  path, stage = given[-1], wanted[-1]
  before = _stored(path)
  if before is None:
    return {}, [f'whether {path} is {stage} is not known: its run is not there']
  name, found = nearest(before)
  if name == stage and not found:
    return _start(before, stage)
  how = f', with another {", ".join(found)}' if found else ''
  return {_INIT: (f'weights of {stage}', f'{path}: {name}{how}')}, []


def _stored(path: str) -> base.Experiment | None:
  """The experiment beside a checkpoint, given by its prefix or its folder."""
  for folder in (path, os.path.dirname(path) or '.'):
    if loading.stored(folder) is not None:
      return run_settings.choose('', '', folder).config
  return None
