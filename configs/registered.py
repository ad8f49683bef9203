"""The registered experiments, by name."""

import inspect
import re
from typing import Dict, List

from official.core import exp_factory

from configs import base
from panoptic.console import spelling

# By name; the factory has no public list of them.
_REGISTERED = exp_factory._REGISTERED_CONFIGS


def names() -> List[str]:
  """The registered experiments of this project, sorted."""
  return sorted(
    name
    for name, factory in _REGISTERED.items()
    if factory.__module__.startswith('configs.')
  )


def get(name: str) -> base.Experiment:
  """Returns an experiment.

  Raises:
    ValueError: If there is none of that name; names the nearest, and all.
  """
  try:
    return exp_factory.get_exp_config(name)
  except LookupError:
    near = spelling.did_you_mean(name, _REGISTERED)
    near = f' ({near})' if near else ''
    raise ValueError(
      f'Unknown experiment {name!r}{near}; the registered ones are: '
      f'{", ".join(sorted(_REGISTERED))}.'
    ) from None


def summaries() -> Dict[str, str]:
  """The first sentence of what each experiment says of itself, by name."""
  found = {}
  for name in names():
    text = ' '.join((inspect.getdoc(_REGISTERED[name]) or '').split())
    # A sentence ends before the next one's capital letter, not in "2.0".
    found[name] = re.split(r'(?<=\.) (?=[A-Z`])', text, maxsplit=1)[0]
  return found


def listing() -> str:
  """The experiments with their summaries, a line each, for `--help`."""
  width = max(map(len, names()))
  lines = [f'  {name:{width}}  {text}' for name, text in summaries().items()]
  return '\n'.join(['experiments:', *lines])
