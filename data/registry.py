"""The data sets by name: each is a module of `data.datasets` with a SPEC."""

import dataclasses
import importlib.util
import pkgutil
from typing import TYPE_CHECKING

from data import datasets, sources
from data.reading import spec as spec_lib
from panoptic import classes as classes_lib

if TYPE_CHECKING:
  from configs import base
  from data import dataset


def get(name: str) -> spec_lib.DatasetSpec:
  """The description of a data set; only its own module is imported.

  Raises:
    ValueError: If there is no such data set.
  """
  path = f'{datasets.__name__}.{name}'
  found = None
  if name.isidentifier() and importlib.util.find_spec(path):
    found = getattr(importlib.import_module(path), 'SPEC', None)
  if found is None:
    raise ValueError(
      f'{name!r} is no data set: choose one of {", ".join(names())}'
    )
  if found.name != name:
    raise ValueError(
      f'{path} has a SPEC of the name {found.name!r}: call it {name!r}'
    )
  return found


def get_files(name: str) -> spec_lib.FileSpec:
  """As `get`, of a data set of files; ValueError for another one too."""
  found = get(name)
  if not isinstance(found, spec_lib.FileSpec):
    raise ValueError(
      f'{name} is no data set of files: there is nothing to read'
    )
  return found


def names() -> list[str]:
  """The names of all data sets, whose modules are imported for it."""
  modules = [
    importlib.import_module(f'{datasets.__name__}.{info.name}')
    for info in pkgutil.iter_modules(datasets.__path__)
  ]
  return sorted(m.SPEC.name for m in modules if hasattr(m, 'SPEC'))


def create(
  config: 'base.Data',
  split: str,
  classes: classes_lib.ClassTable | None = None,
  of_classes: str = '',
) -> 'dataset.Dataset':
  """Opens a data set.

  Args:
    config: Names the data set, and the folder it is in.
    split: One of its splits, as a rule `config.train_split` or
      `config.eval_split`.
    classes: The table by which it is read, which must have the same classes in
      any order; None: its own.
    of_classes: What has that table, for the message.

  Raises:
    ValueError: If the name is unknown, or the data or their classes are wrong.
    FileNotFoundError: If files are missing.
    PermissionError: If some may not be read.
  """
  spec = get(config.name)
  of_split = f'{split} of {config.dir or config.name}'
  if spec.open is not None:
    opened = spec.open(config, split)
    if classes is not None:
      classes_lib.matched(classes, opened.classes, of_classes, of_split)
      _require_order(classes, opened.classes, of_classes, of_split)
    return opened
  # Only now, since it starts TensorFlow.
  from data.reading import file_dataset

  files = get_files(config.name)
  content = sources.open_split(files, config.dir, split, config.source)
  if classes is not None:
    classes_lib.matched(classes, content.classes, of_classes, of_split)
    content = dataclasses.replace(content, classes=classes)
  return file_dataset.FileDataset(content, config.cache)


def _require_order(
  reference: classes_lib.ClassTable,
  rendered: classes_lib.ClassTable,
  of_reference: str,
  of_rendered: str,
) -> None:
  """Refuses a set that is rendered with classes in an order of its own."""
  orders = [[c.id for c in t.categories] for t in (reference, rendered)]
  if orders[0] != orders[1]:
    raise ValueError(
      f'{of_reference} has the categories in the order {orders[0]}, but '
      f'{of_rendered} is rendered with {orders[1]}: list them in that order'
    )


def class_table(config: 'base.Data') -> classes_lib.ClassTable:
  """The classes of a data set, which need not be on this machine.

  Args:
    config: Names the data set. With a folder its own classes are read, as for a
      user's set in COCO's format; without one they are the official ones.
  """
  official = get(config.name).classes
  if official is not None and not config.dir:
    return official
  return create(config, config.eval_split).classes
