"""The experiment of a stored run: `--experiment` need not be repeated."""

import functools
import os
import sys
from typing import Any, Dict, List, Mapping, NamedTuple

from configs import base, loading
from panoptic import files

DEFAULT = 'shapes'


class Choice(NamedTuple):
  """An experiment, and a line that says where it comes from."""

  config: base.Experiment
  line: str


def choose(
  name: str,
  checkpoint: str,
  model_dir: str,
  config_file: str = '',
  params_override: str | Mapping[str, Any] = '',
  with_evaluation: bool = False,
  fields: Mapping[str, Any] | None = None,
) -> Choice:
  """Loads the experiment by which a stored model is used.

  That is the run's own where no name is given. Files and overrides apply to
  either.

  Args:
    name: Of a registered experiment; '' for the run's own, or, if there is no
      run, `DEFAULT`.
    checkpoint: Prefix or folder of a checkpoint, or ''.
    model_dir: Folder of a run, or ''.
    config_file: As for `loading.load`.
    params_override: As for `loading.load`.
    with_evaluation: Whether to take the run's evaluation settings although a
      name is given, if the run has the same model.
    fields: As for `loading.load`.

  Raises:
    FileNotFoundError, ValueError: As `loading.load`.
  """
  folder = _folder(checkpoint, model_dir)
  load = functools.partial(
    loading.load,
    config_file=config_file,
    params_override=params_override,
    fields=fields,
  )
  if not name and folder is None:
    return Choice(load(DEFAULT), f'The experiment is {DEFAULT}.')
  if folder is None:
    return Choice(load(name), f'The experiment is {name}.')
  stored = _read(folder)
  if not name:
    config = load('', stored=stored)
    return Choice(config, f'The experiment is the one stored in {folder}.')
  config = load(name)
  line = f'The experiment is {name}.'
  if with_evaluation and _same_model(config, stored):
    part = {'evaluation': stored.get('evaluation', {})}
    config = load(name, stored=part)
    line = (
      f'The experiment is {name}, with the evaluation settings stored in '
      f'{folder}.'
    )
  return Choice(config, line)


def folder_of_run(checkpoint: str) -> str:
  """Returns the folder of the run that made a checkpoint, or '' if unknown.

  Args:
    checkpoint: Prefix or folder of a checkpoint, or ''.
  """
  folder = _folder(checkpoint, '')
  if folder is None:
    return ''
  folder = folder.rstrip('/') or folder
  # The best checkpoint has a copy of the run's experiment beside it.
  above, name = os.path.split(folder)
  is_best = name == 'best' and files.is_file(os.path.join(above, loading.FILE))
  return (above or '.') if is_best else folder


def _folder(checkpoint: str, model_dir: str) -> str | None:
  """The folder whose experiment a checkpoint was trained by, if it is known."""
  places = [model_dir] if model_dir else []
  if checkpoint:
    above = os.path.dirname(checkpoint)
    # The best checkpoint lies in a folder within the run's.
    places = [checkpoint, above or '.', os.path.dirname(above) or '.', *places]
  for place in places:
    if files.is_file(os.path.join(place, loading.FILE)):
      return place
  return None


def _read(folder: str) -> Dict[str, Any]:
  """The experiment in a folder, as nested dictionaries.

  Fields that no longer exist are named on the error stream and left out.
  """
  path = os.path.join(folder, loading.FILE)
  unknown: List[str] = []
  values = _known(loading.read(path), base.Experiment().as_dict(), '', unknown)
  if unknown:
    print(
      f'{path} has fields that no longer exist, which are left out: '
      f'{", ".join(unknown)}',
      file=sys.stderr,
    )
  return values


def _known(
  values: Mapping[str, Any],
  known: Mapping[str, Any],
  prefix: str,
  unknown: List[str],
) -> Dict[str, Any]:
  """Nested values without the unknown ones, whose names are appended."""
  kept = {}
  for key, value in values.items():
    if key not in known:
      unknown.append(prefix + key)
    elif isinstance(value, dict) and isinstance(known[key], dict):
      kept[key] = _known(value, known[key], f'{prefix}{key}.', unknown)
    else:
      kept[key] = value
  return kept


def _same_model(config: base.Experiment, stored: Mapping[str, Any]) -> bool:
  """Whether a stored experiment has the model of this one."""
  ours, theirs = loading.flat(config), loading.flat_values(dict(stored))
  return all(
    theirs[field] == value
    for field, value in ours.items()
    if field.startswith('model.')
  )
