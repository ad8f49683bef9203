"""Checks that the fields of an experiment have their types and bounds."""

import dataclasses
import functools
import math
import reprlib
import typing
from typing import Annotated, Any, Callable, NamedTuple

import numpy as np
from official.modeling import hyperparams

_TYPE_NAMES = {
  bool: 'true or false',
  int: 'a whole number',
  float: 'a number',
  str: 'a text',
}

# Of a value that an alias of YAML repeats, or that is nested without end.
_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 200
_SHOWN.maxlong = 40


class Bound(NamedTuple):
  """What a field's values must be, besides their type: for `Annotated`."""

  meaning: str
  holds: Callable[[Any], bool]


class Conversion(NamedTuple):
  """What a field's values become when they are checked: for `Annotated`."""

  convert: Callable[[Any], Any]


def at_least(low: float) -> Bound:
  """The bound of a number from below."""
  return Bound(f'at least {low}', lambda x: x >= low)


def at_most(high: float) -> Bound:
  """The bound of a number from above."""
  return Bound(f'at most {high}', lambda x: x <= high)


def between(low: float, high: float) -> Bound:
  """The bound of a number from both sides."""
  return Bound(f'between {low} and {high}', lambda x: low <= x <= high)


def lengths(low: int, high: int) -> Bound:
  """The bound of a list's length."""
  return Bound(
    f'a list of {low} to {high} values', lambda x: low <= len(x) <= high
  )


def check_types(config: hyperparams.Config, prefix: str = '') -> None:
  """Checks the types and bounds of all fields.

  Lists become tuples and whole numbers become floats where the field is one,
  and the `~` of a path becomes the folder that it stands for.

  Args:
    config: The experiment or a section of it, changed in place.
    prefix: Name of the section, with a dot at the end.

  Raises:
    ValueError: Names the first field of a wrong type or out of its bounds.
  """
  for name, hint in hints(config).items():
    value = getattr(config, name)
    if is_section(hint):
      if not isinstance(value, hint):
        raise not_a_section(f'{prefix}{name}', value)
      check_types(value, f'{prefix}{name}.')
    else:
      in_type = checked(value, hint, f'{prefix}{name}')
      if in_type is not value:  # To set a field of this library takes long.
        setattr(config, name, in_type)


def hints(config: hyperparams.Config) -> dict[str, Any]:
  """The types of a section's fields, with their bounds, by name."""
  of: Any = type(config)
  return _hints(of)


@functools.cache
def _hints(of: Any) -> dict[str, Any]:
  found = typing.get_type_hints(of, include_extras=True)
  return {field.name: found[field.name] for field in dataclasses.fields(of)}


def is_section(hint: Any) -> bool:
  """Whether a field of this type is a section of fields."""
  return isinstance(hint, type) and dataclasses.is_dataclass(hint)


def not_a_section(name: str, value: Any) -> ValueError:
  """The error for a value in the place of a section."""
  return ValueError(
    f'{name} is {_SHOWN.repr(value)}; it must be a section of fields.'
  )


def checked(value: Any, hint: Any, name: str) -> Any:
  """Returns a value in the type of a field.

  A scalar of NumPy is a number, and an array of it a list.

  Args:
    value: What the field is set to.
    hint: The field's type, with bounds.
    name: The field's name, for the message.

  Raises:
    ValueError: If the value is of another type, or out of the bounds.
  """

  def error(meaning):
    return ValueError(f'{name} is {_SHOWN.repr(value)}; it must be {meaning}.')

  if isinstance(value, (np.generic, np.ndarray)):
    value = value.tolist()
  arguments = typing.get_args(hint)
  if typing.get_origin(hint) is Annotated:
    value = checked(value, arguments[0], name)
    for rule in arguments[1:]:
      if isinstance(rule, Conversion):
        try:
          value = rule.convert(value)
        except ValueError as problem:
          raise ValueError(f'{name}: {problem}') from None
      elif not rule.holds(value):
        raise error(rule.meaning)
    return value
  if type(None) in arguments:
    return None if value is None else checked(value, arguments[0], name)
  if typing.get_origin(hint) is tuple:
    if not isinstance(value, (list, tuple)):
      raise error('a list')
    if Ellipsis in arguments:
      arguments = arguments[:1] * len(value)
    if len(value) != len(arguments):
      raise error(f'a list of {len(arguments)}')
    return tuple(
      checked(item, argument, name)
      for item, argument in zip(value, arguments, strict=True)
    )
  if hint is float and type(value) is int:
    # Python has no float for a whole number of hundreds of digits.
    value = float(value) if abs(value) < 2**1000 else math.inf
  if type(value) is not hint:
    raise error(_TYPE_NAMES[hint])
  if hint is float and not math.isfinite(value):
    raise error('a finite number')
  return value
