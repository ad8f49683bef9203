"""Classes: the table between a data set's category ids and the model's."""

import colorsys
import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Color = tuple[int, int, int]  # RGB, 0..255.

_FEW = 3  # Differences of two tables that a message names.


class Category(NamedTuple):
  """A class as its data set names it."""

  id: int
  name: str
  isthing: bool
  color: Color = (128, 128, 128)


class ClassTable:
  """Translates a data set's category ids to contiguous classes and back.

  The class of a category is its position in the table plus one; 0 is void.

  Attributes:
    categories: The categories, in the order of their classes.
  """

  def __init__(self, categories: Sequence[Category]):
    """Raises ValueError for an id that is not positive or occurs twice."""
    self.categories = tuple(categories)
    ids = [category.id for category in self.categories]
    for category in self.categories:
      if category.id < 1 or ids.count(category.id) > 1:
        raise ValueError(
          f'category id {category.id} ({category.name!r}) must be positive '
          'and stand in the class table once'
        )
    self._class_of = np.zeros(max(ids, default=0) + 1, np.int32)
    self._class_of[ids] = np.arange(1, len(ids) + 1)

  @classmethod
  def from_json(cls, text: str) -> 'ClassTable':
    """Reads what `to_json` wrote."""
    rows = json.loads(text)
    return cls(
      [Category(**{**row, 'color': tuple(row['color'])}) for row in rows]
    )

  def to_json(self) -> str:
    """The table as text, a list of objects."""
    return json.dumps([category._asdict() for category in self.categories])

  @property
  def num_classes(self) -> int:
    """The number of classes, void included."""
    return len(self.categories) + 1

  @property
  def isthing(self) -> np.ndarray:
    """Whether each class is a thing: bool `[num_classes]`, void False."""
    return np.array([False, *(c.isthing for c in self.categories)], bool)

  def to_contiguous(self, category_ids) -> np.ndarray:
    """Category ids (any shape, 0 is void) to classes, int32.

    Raises:
      ValueError: If an id is not in the table.
    """
    ids = np.asarray(category_ids, np.int64)
    known = (ids >= 0) & (ids < len(self._class_of))
    classes = self._class_of[np.where(known, ids, 0)]
    unknown = np.unique(ids[(classes == 0) & (ids != 0)])
    if unknown.size:
      raise ValueError(
        f'category id {unknown[0]} is not one of the {len(self.categories)} '
        'categories of the data set'
      )
    return classes

  def category(self, contiguous: int) -> Category:
    """The category of a class; ValueError for void and classes beyond."""
    if not 1 <= contiguous < self.num_classes:
      raise ValueError(
        f'class {contiguous} is no category: 1..{self.num_classes - 1} are'
      )
    return self.categories[contiguous - 1]


def matched(
  reference: ClassTable, table: ClassTable, of_reference: str, of_table: str
) -> ClassTable:
  """Matches two tables by id and name; the order and colours may differ.

  Args:
    reference: The table whose order counts for the data of both.
    table: The other one.
    of_reference: What has the reference, for the message: 'the run runs/a'.
    of_table: What has the other table.

  Returns:
    `reference`.

  Raises:
    ValueError: If ids, names or things differ; names the first differences.
  """
  expected, found = (
    {category.id: category for category in t.categories}
    for t in (reference, table)
  )
  differences = []
  for id_ in sorted(expected.keys() | found.keys()):
    theirs, mine = (_kind(t.get(id_)) for t in (expected, found))
    if not mine:
      differences.append(f'id {id_}, {theirs}, is missing')
    elif not theirs:
      differences.append(f'id {id_}, {mine}, is new')
    elif mine != theirs:
      differences.append(f'id {id_} is {mine} instead of {theirs}')
  if differences:
    more = len(differences) - _FEW
    raise ValueError(
      f'{of_table} has other classes than {of_reference}: '
      + '; '.join(differences[:_FEW])
      + (f'; and {more} more' if more > 0 else '')
      + ': give both the same ids, names and things'
    )
  return reference


def _kind(category: Category | None) -> str:
  """What must be the same for an id; '' where there is none."""
  if category is None:
    return ''
  return f'{category.name!r} ({"a thing" if category.isthing else "stuff"})'


def palette_color(position: int) -> Color:
  """A colour for the category at this position of a table.

  Hues go round in golden-ratio steps, so that neighbours differ however long
  the table is; brightness alternates for the same reason.
  """
  hue = position * 0.6180339887 % 1
  saturation, value = (0.75, 0.95) if position % 2 else (0.55, 0.7)
  red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
  return round(red * 255), round(green * 255), round(blue * 255)
