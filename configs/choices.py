"""Options by name, and the error for a name that none has."""

from typing import Mapping, TypeVar

_Name = TypeVar('_Name')
_Option = TypeVar('_Option')


def choose(options: Mapping[_Name, _Option], name: _Name, kind: str) -> _Option:
  """Returns the option of a name.

  Args:
    options: All options by name.
    name: One of their names.
    kind: What they are, for the message.

  Raises:
    ValueError: If no option has that name; lists the names.
  """
  if name not in options:
    raise ValueError(
      f'unknown {kind} {name!r}: choose one of {", ".join(map(str, options))}'
    )
  return options[name]
