"""Loads experiments by name, changes their fields, and stores them with runs.

A stored experiment, a `--config_file` and `--params_override` may use the old
name of a renamed field.
"""

import copy
import difflib
import json
import os
import re
from typing import Any, Dict, Iterator, List, Mapping, Tuple

import tensorflow as tf
import yaml
from official.core import exp_factory
from official.modeling.hyperparams import params_dict

from configs import (  # noqa: F401  Experiments register themselves.
  base,
  cityscapes,
  coco,
  davis,
  kitti_step,
  moving_shapes,
  shapes,
  type_checks,
)
from panoptic import files

_FILE = 'experiment.yaml'

# Old names of fields and the new ones, within the same section.
_RENAMED = {
  'model.prediction': 'model.parameterization',
  'data.augmentation.withheld_past': 'data.augmentation.past_mask_dropout',
  'training.pictures_every': 'training.visualize_every',
  'evaluation.num_pictures': 'evaluation.num_visualized',
}


class _Loader(yaml.SafeLoader):
  """Safe YAML that reads `1e-4` as a number."""


_Loader.add_implicit_resolver(
  'tag:yaml.org,2002:float',
  re.compile(r'^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$'),
  list('-+0123456789'),
)


# By name; the factory has no public list of them.
_REGISTERED = exp_factory._REGISTERED_CONFIGS


def names() -> List[str]:
  """The registered experiments of this project, sorted."""
  return sorted(
    name
    for name, factory in _REGISTERED.items()
    if factory.__module__.startswith('configs.')
  )


def load(
  name: str, config_file: str = '', params_override: str = ''
) -> base.Experiment:
  """Returns a registered experiment with its fields overridden.

  Args:
    name: The experiment's registered name.
    config_file: Path of a YAML file with the fields to change, or ''.
    params_override: Fields to change after that, 'a.b=1,c.d=[1,2]', or ''.

  Returns:
    The experiment. Its fields are known and have their types.

  Raises:
    ValueError: If the name, a field or a type is wrong.
    FileNotFoundError: If there is no such file.
  """
  try:
    config = exp_factory.get_exp_config(name)
  except LookupError:
    raise ValueError(
      f'Unknown experiment {name!r}; the registered ones are: '
      f'{", ".join(sorted(_REGISTERED))}.'
    ) from None
  if config_file:
    override(config, _read(config_file), config_file)
  if params_override:
    try:
      text = params_dict.nested_csv_str_to_json_str(params_override)
      values = yaml.load(text, Loader=_Loader)
    except (ValueError, yaml.YAMLError):
      raise ValueError(
        f'Cannot read --params_override={params_override!r}; write fields as '
        '"training.steps=100,model.image_size=[64,64]".'
      ) from None
    override(config, values, '--params_override')
  return config


def override(
  config: base.Experiment, values: Dict[str, Any], source: str
) -> None:
  """Changes fields of an experiment.

  Args:
    config: The experiment, changed in place.
    values: Nested dictionary of the fields to change.
    source: Where the values come from, for the message.

  Raises:
    ValueError: If a field is unknown or a value has the wrong type.
  """
  values = _renamed(values, _RENAMED, source)
  known = dict(_flatten(config.as_dict()))
  for field, _ in _flatten(values):
    if field not in known:
      close = difflib.get_close_matches(field, known, n=1)
      hint = f'; did you mean {close[0]!r}?' if close else '.'
      raise ValueError(f'Unknown field {field!r} in {source}{hint}')
  config.override(values)
  type_checks.check_types(config)


def save(config: base.Experiment, model_dir: str) -> None:
  """Writes the experiment to `experiment.yaml` in the run's folder."""
  tf.io.gfile.makedirs(model_dir)
  text = yaml.safe_dump(_plain(config), sort_keys=False)
  files.write_text(os.path.join(model_dir, _FILE), text)


def save_copy(model_dir: str, directory: str) -> None:
  """Copies the run's `experiment.yaml`, if it has one, to another folder."""
  source = os.path.join(model_dir, _FILE)
  if tf.io.gfile.exists(source):
    tf.io.gfile.copy(source, os.path.join(directory, _FILE), overwrite=True)


def check_same_model(
  config: base.Experiment, model_dir: str, resumes: bool = False
) -> None:
  """Refuses another model than the one of the run's folder.

  Args:
    config: The experiment now.
    model_dir: Folder of the run.
    resumes: Whether the training goes on. Then the trainable weights must be
      the same, since the optimizer's moments are restored.

  Raises:
    ValueError: If the stored model differs; names the fields.
  """
  path = os.path.join(model_dir, _FILE)
  if not tf.io.gfile.exists(path):
    return
  stored = dict(_flatten(_renamed(_read(path), _RENAMED, path)))
  current = dict(_flatten(_plain(config)))
  compared = ('model.', 'training.freeze_encoder') if resumes else ('model.',)
  differences = [
    f'{field} is {stored.get(field)} there and {current.get(field)} here'
    for field in sorted(stored.keys() | current.keys())
    if field.startswith(compared) and stored.get(field) != current.get(field)
  ]
  if differences:
    raise ValueError(
      f'The run in {model_dir} has another model: {"; ".join(differences)}. '
      'Use the same values, or another --model_dir.'
    )


def with_old_names(config: base.Experiment) -> Dict[str, Any]:
  """Returns the experiment as nested dictionaries, with old names of fields."""
  old_of_new = {new: old for old, new in _RENAMED.items()}
  return _renamed(config.as_dict(), old_of_new, 'the experiment')


def _read(path: str) -> Dict[str, Any]:
  if not tf.io.gfile.exists(path):
    raise FileNotFoundError(f'There is no configuration file {path!r}.')
  try:
    values = yaml.load(files.read_text(path), Loader=_Loader)
  except yaml.YAMLError as error:
    reason = ' '.join(str(error).split())
    raise ValueError(f'{path} is not a YAML file: {reason}') from None
  if not isinstance(values, dict):
    raise ValueError(f'{path} must hold a YAML mapping of fields to values.')
  return values


def _renamed(
  values: Dict[str, Any], names: Mapping[str, str], source: str
) -> Dict[str, Any]:
  """Returns a copy of nested values with other names of some fields."""
  values = copy.deepcopy(values)
  for before, after in names.items():
    *sections, name = before.split('.')
    new_name = after.split('.')[-1]
    part: Any = values
    for section in sections:
      part = part.get(section) if isinstance(part, dict) else None
    if not isinstance(part, dict) or name not in part:
      continue
    if new_name in part:
      raise ValueError(
        f'{source} has both {before!r} and {after!r}, which are one field; '
        'remove one.'
      )
    part[new_name] = part.pop(name)
  return values


def _flatten(
  values: Dict[str, Any], prefix: str = ''
) -> Iterator[Tuple[str, Any]]:
  """Yields ('a.b', value) of nested dictionaries."""
  for key, value in values.items():
    if isinstance(value, dict) and value:
      yield from _flatten(value, f'{prefix}{key}.')
    else:
      yield f'{prefix}{key}', value


def _plain(config: base.Experiment) -> Dict[str, Any]:
  """Returns nested dictionaries with lists for tuples, as safe YAML wants."""
  return json.loads(json.dumps(config.as_dict()))
