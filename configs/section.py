"""A part of an experiment."""

import dataclasses
from typing import Any

from official.modeling import hyperparams

from configs import type_checks
from panoptic.console import spelling

# What a dataclass of this library takes beside its fields.
_ARGUMENTS = ('default_params', 'restrictions')


class Section(hyperparams.Config):
  """A configuration that refuses fields which it does not declare.

  A misspelt field is one sentence with the nearest ones, whether it is set,
  read, given to the constructor (TypeError, like Python's own), or to
  `override` and `replace` (KeyError, like the library's). A value of a wrong
  type or out of the field's bounds is a ValueError, as in `loading.load`; lists
  become tuples where the field is one.
  """

  def __new__(cls, *args, **kwargs):
    del args
    known = _names(cls)
    for name in kwargs:
      if name not in known and name not in _ARGUMENTS:
        raise TypeError(_refusal(cls, name))
    return super().__new__(cls)

  def __setattr__(self, name, value):
    if name not in self.RESERVED_ATTR and name not in _names(type(self)):
      raise AttributeError(_refusal(type(self), name))
    super().__setattr__(name, value)

  def __getattr__(self, name):
    # Of names that Python looks for, as in copying, it expects its own errors.
    if name.startswith('_'):
      raise AttributeError(name)
    raise AttributeError(_refusal(type(self), name))

  def _set(self, k: str, v: Any) -> None:
    """Sets a field, of which the name is known; the library calls it, too."""
    hint = type_checks.hints(self).get(k)
    if hint is None:  # Of the library's own.
      super()._set(k, v)
      return
    name = f'{type(self).__name__}.{k}'
    if not type_checks.is_section(hint):
      self.__dict__[k] = type_checks.checked(v, hint, name)
    elif isinstance(v, (hint, dict)):
      super()._set(k, v)
    else:
      raise type_checks.not_a_section(name, v)

  def _override(self, override_dict, is_strict=True):
    known = _names(type(self))
    for name in override_dict:
      if name not in self.RESERVED_ATTR and name not in known:
        raise KeyError(_refusal(type(self), name))
    super()._override(override_dict, is_strict)


def _names(section: type[Section]) -> list[str]:
  return [field.name for field in dataclasses.fields(section)]


def _refusal(section: type[Section], name: str) -> str:
  known = _names(section)
  hint = spelling.did_you_mean(str(name), known)
  hint = hint or f'its fields are {", ".join(known)}.'
  return f'{section.__name__} has no field {name!r}: {hint}'
