"""Checks that the fields of an experiment have their types and bounds."""

import dataclasses
import typing
from typing import Annotated, Any, Callable, NamedTuple

from official.modeling import hyperparams

_TYPE_NAMES = {
  bool: 'true or false',
  int: 'a whole number',
  float: 'a number',
  str: 'a text',
}


class Bound(NamedTuple):
  """What a field's values must be, besides their type: for `Annotated`."""

  meaning: str
  holds: Callable[[Any], bool]


def check_types(config: hyperparams.Config, prefix: str = '') -> None:
  """Checks the types and bounds of all fields.

  Lists become tuples and whole numbers become floats where the field is one.

  Args:
    config: The experiment or a section of it, changed in place.
    prefix: Name of the section, with a dot at the end.

  Raises:
    ValueError: Names the first field of a wrong type or out of its bounds.
  """
  hints = typing.get_type_hints(type(config), include_extras=True)
  for field in dataclasses.fields(config):
    value, hint = getattr(config, field.name), hints[field.name]
    name = f'{prefix}{field.name}'
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
      if not isinstance(value, hint):
        raise ValueError(
          f'{name} is {value!r}; it must be a section of fields.'
        )
      check_types(value, f'{name}.')
    else:
      setattr(config, field.name, _checked(value, hint, name))


def _checked(value: Any, hint: Any, name: str) -> Any:
  """Returns the value in the type of the hint."""
  arguments = typing.get_args(hint)
  if typing.get_origin(hint) is Annotated:
    value, bound = _checked(value, arguments[0], name), arguments[1]
    if not bound.holds(value):
      raise ValueError(f'{name} is {value!r}; it must be {bound.meaning}.')
    return value
  if type(None) in arguments:
    return None if value is None else _checked(value, arguments[0], name)
  if typing.get_origin(hint) is tuple:
    if not isinstance(value, (list, tuple)):
      raise ValueError(f'{name} is {value!r}; it must be a list.')
    if Ellipsis in arguments:
      arguments = arguments[:1] * len(value)
    if len(value) != len(arguments):
      raise ValueError(
        f'{name} is {value!r}; it must be a list of {len(arguments)}.'
      )
    return tuple(
      _checked(item, argument, name)
      for item, argument in zip(value, arguments, strict=True)
    )
  if hint is float and type(value) is int:
    return float(value)
  if type(value) is not hint:
    raise ValueError(f'{name} is {value!r}; it must be {_TYPE_NAMES[hint]}.')
  return value
