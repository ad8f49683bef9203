"""Loads experiments by name, changes their fields, and stores them with runs.

A stored experiment, a `--config_file` and `--params_override` may use the old
name of a renamed field.
"""

import copy
import functools
import json
import operator
import os
import re
from typing import Any, Dict, Iterator, List, Mapping, Tuple

import tensorflow as tf
import yaml
from official.modeling.hyperparams import params_dict

from configs import base, registered, type_checks
from panoptic import files
from panoptic.console import spelling

FILE = 'experiment.yaml'

# Fields that were added, which keys of older records do not hold.
_ADDED = (
  'model.decoder.stride',
  'model.self_conditioning',
  'model.normalize_x_t',
  'evaluation.samples',
  'evaluation.min_segment_score',
  'evaluation.visualized_ids',
)
_DEEPEST = 5  # Sections in sections; a file's may contain themselves.

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


# What PyYAML raises for texts that are not YAML, and for values that no type of
# Python can hold, as the 99th of a month.
_UNREADABLE = (
  *(yaml.YAMLError, ValueError, AttributeError, KeyError, TypeError),
  *(RecursionError, OverflowError),
)

names = registered.names


def load(
  name: str,
  config_file: str = '',
  params_override: str | Mapping[str, Any] = '',
  stored: Mapping[str, Any] | None = None,
  fields: Mapping[str, Any] | None = None,
) -> base.Experiment:
  """Returns a registered experiment with its fields overridden.

  Args:
    name: The experiment's registered name; '' for one whose fields are all
      stored.
    config_file: Path of a YAML file with the fields to change, or ''.
    params_override: Fields to change after that, 'a.b=1,c.d=[1,2]', or ''. Or
      a dictionary, {'a.b': 1} or {'a': {'b': 1}}.
    stored: Nested values of fields to change before all these.
    fields: Values of fields that have flags of their own, {'data.dir': '/a'}:
      they change the configuration last.

  Returns:
    The experiment. Its fields are known and have their types.

  Raises:
    ValueError: If the name, a field or a type is wrong, or if one of `fields`
      is another in `params_override`.
    FileNotFoundError: If there is no such file.
  """
  config = registered.get(name) if name else base.Experiment()
  if stored:
    override(config, dict(stored), FILE)
  if config_file:
    override(config, _read(config_file), config_file)
  values: Dict[str, Any] = {}
  if not isinstance(params_override, str):
    values = _nested(params_override)
    override(config, values, 'params_override')
  elif params_override:
    try:
      text = params_dict.nested_csv_str_to_json_str(params_override)
      values = yaml.load(text, Loader=_Loader)
    except _UNREADABLE:
      raise ValueError(
        f'Cannot read --params_override={params_override!r}; write fields as '
        '"training.steps=100,model.image_size=[64,64]".'
      ) from None
    override(config, values, '--params_override')
  for field, value in (fields or {}).items():
    _set_by_flag(config, field, value, is_given=field in flat_names(values))
  return config


def _nested(values: Mapping[str, Any]) -> Dict[str, Any]:
  """Fields with dots in their names, as sections in sections."""
  if not isinstance(values, Mapping):
    raise ValueError(
      f'params_override is {values!r}; give a text, "a.b=1", or a dictionary.'
    )
  found: Dict[str, Any] = {}
  for name, value in values.items():
    *sections, field = str(name).split('.')
    part: Any = found
    for section in sections:
      part = part.setdefault(section, {}) if isinstance(part, dict) else None
    if not isinstance(part, dict) or field in part:
      raise ValueError(f'params_override has {name} twice; keep one.')
    part[field] = _nested(value) if isinstance(value, Mapping) else value
  return found


def _set_by_flag(
  config: base.Experiment, field: str, value: Any, is_given: bool
) -> None:
  """Sets a field to the value of its flag, unless it was given another."""
  get = operator.attrgetter(field)
  before = get(config)
  nested = value
  for name in reversed(field.split('.')):
    nested = {name: nested}
  override(config, nested, 'a flag')
  if is_given and get(config) != before:
    raise ValueError(
      f'{field} is {before!r} in --params_override and {get(config)!r} by its '
      'own flag: give it once.'
    )


def override(
  config: base.Experiment, values: Dict[str, Any], source: str
) -> None:
  """Changes fields of an experiment.

  Args:
    config: The experiment, changed in place.
    values: Nested dictionary of the fields to change.
    source: Where the values come from, for the message.

  Raises:
    ValueError: If a field is unknown, or a value has the wrong type or is out
      of its bounds.
  """
  values = _renamed(values, _RENAMED, source)
  known = [name for name, _ in _flatten(config.as_dict())]
  _override_section(config, values, source, '', known)


def _override_section(section, values, source, prefix, known) -> None:
  """Changes fields of a section; it, not the values, says how deep they go."""
  hints = type_checks.hints(section)
  for key, value in values.items():
    name = f'{prefix}{key}'
    hint = hints.get(key)
    if hint is not None and type_checks.is_section(hint):
      if not isinstance(value, dict):
        raise type_checks.not_a_section(name, value)
      _override_section(getattr(section, key), value, source, f'{name}.', known)
      continue
    if isinstance(value, dict) and value:
      name, hint = f'{name}.{next(iter(value))}', None
    if hint is None:
      advice = spelling.did_you_mean(name, known)
      advice = f'; {advice}' if advice else '.'
      if name in known:  # A name with dots in a YAML file.
        advice = ': write it as a field within its sections.'
      raise ValueError(f'Unknown field {name!r} in {source}{advice}')
    setattr(section, key, type_checks.checked(value, hint, name))


def save(config: base.Experiment, model_dir: str) -> None:
  """Writes the experiment to `experiment.yaml` in the run's folder."""
  tf.io.gfile.makedirs(model_dir)
  text = yaml.safe_dump(plain(config), sort_keys=False)
  files.write_text(os.path.join(model_dir, FILE), text)


def save_copy(model_dir: str, directory: str) -> None:
  """Copies the run's `experiment.yaml`, if it has one, to another folder."""
  source = os.path.join(model_dir, FILE)
  if tf.io.gfile.exists(source):
    tf.io.gfile.copy(source, os.path.join(directory, FILE), overwrite=True)


def plain(config: base.Experiment) -> Dict[str, Any]:
  """Returns nested dictionaries with lists for tuples, as safe YAML wants."""
  return json.loads(json.dumps(config.as_dict()))


def flat(config: base.Experiment) -> Dict[str, Any]:
  """Returns the fields by name, 'training.steps', as YAML would hold them."""
  return dict(_flatten(plain(config)))


def flat_names(values: Dict[str, Any]) -> List[str]:
  """The present names of the fields of nested values: 'training.steps'."""
  values = _renamed(values, _RENAMED, 'the fields')
  return [name for name, _ in _flatten(values)]


def flat_values(values: Dict[str, Any]) -> Dict[str, Any]:
  """Returns the fields of nested values as `flat`; others have defaults.

  So a field that is younger than a record is as it was before.
  """
  values = _renamed(values, _RENAMED, 'the record')
  return {**flat(base.Experiment()), **dict(_flatten(values))}


def stored(model_dir: str) -> Dict[str, Any] | None:
  """Returns the experiment of a run's folder as nested values, or None.

  Raises:
    ValueError: If the file cannot be read.
  """
  path = os.path.join(model_dir, FILE)
  if not tf.io.gfile.exists(path):
    return None
  return read(path)


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
  values = stored(model_dir)
  if values is None:
    return
  there, here = flat_values(values), flat(config)
  compared = ['model.']
  if resumes:
    compared += ['task', 'training.freeze_encoder']
  if config.model.past_masks:
    compared.append('data.past_frames')  # Which frame an input channel shows.
  differences = [
    f'{field} is {there.get(field)} there and {here.get(field)} here'
    for field in sorted(there.keys() | here.keys())
    if field.startswith(tuple(compared)) and there.get(field) != here.get(field)
  ]
  if differences:
    raise ValueError(
      f'The run in {model_dir} has another model: {"; ".join(differences)}. '
      'Use the same values, or another --model_dir.'
    )


def read(path: str) -> Dict[str, Any]:
  """Reads fields as nested dictionaries, by their present names.

  Raises:
    FileNotFoundError, ValueError: If the file is missing or malformed.
  """
  return _renamed(_read(path), _RENAMED, path)


def with_old_names(config: base.Experiment) -> Dict[str, Any]:
  """Returns the experiment as nested dictionaries, as it was stored before.

  Fields have their old names, and those that were added are left out where
  they have their defaults.
  """
  old_of_new = {new: old for old, new in _RENAMED.items()}
  values = _renamed(config.as_dict(), old_of_new, 'the experiment')
  defaults = dict(_flatten(base.Experiment().as_dict()))
  for field in _ADDED:
    *sections, name = field.split('.')
    part = functools.reduce(operator.getitem, sections, values)
    if part[name] == defaults[field]:
      del part[name]
  return values


def _read(path: str) -> Dict[str, Any]:
  if not files.is_file(path):
    raise FileNotFoundError(f'There is no configuration file {path!r}.')
  content = files.read_bytes(path)
  try:
    values = yaml.load(content, Loader=_Loader)
  except _UNREADABLE as error:
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
  """Yields ('a.b', value) of nested dictionaries, as deep as sections are."""
  for key, value in values.items():
    if isinstance(value, dict) and value and prefix.count('.') < _DEEPEST:
      yield from _flatten(value, f'{prefix}{key}.')
    else:
      yield f'{prefix}{key}', value
