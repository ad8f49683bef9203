"""Sheets of pictures: rows and columns, their titles, and a legend."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from panoptic import classes as classes_lib
from panoptic import maps
from panoptic.drawing import draw, labels

_MOST_ENTRIES = 60
_MARGIN = 4  # Pixels around texts.


class Entry(NamedTuple):
  """An entry of a legend; without a colour it is a remark."""

  text: str
  color: classes_lib.Color | None = None


def legend(
  shown: Iterable[maps.PanopticMap], classes: classes_lib.ClassTable
) -> list[Entry]:
  """The classes of the segments of some maps, in the order of the table."""
  shown = list(shown)
  ids = {s.category_id for one in shown for s in one.segments}
  entries = [Entry(c.name, c.color) for c in classes.categories if c.id in ids]
  if len(entries) > _MOST_ENTRIES:
    more = len(entries) - _MOST_ENTRIES
    entries = [*entries[:_MOST_ENTRIES], Entry(f'and {more} more classes')]
  if any((one.segment_ids == maps.VOID).any() for one in shown):
    entries.append(Entry('void', draw.VOID))
  return entries


def sheet(
  rows: Sequence[Sequence[np.ndarray]],
  titles: Sequence[str],
  entries: Sequence[Entry] = (),
  gap: int = 4,
) -> np.ndarray:
  """A grid of images under titles, over a legend.

  Args:
    rows: uint8 `[h, w, 3]` images, row by row.
    titles: Of the columns.
    entries: Of the legend.
    gap: Pixels between images.

  Returns:
    uint8 `[H, W, 3]`.
  """
  grid = draw.grid(rows, gap)
  columns = max(len(row) for row in rows)
  width = (grid.shape[1] + gap) // columns - gap
  parts = [_titles(titles[:columns], width, gap, grid.shape[1]), grid]
  if entries:
    parts.append(_legend(entries, grid.shape[1]))
  return np.concatenate(parts)


def _titles(
  titles: Sequence[str], width: int, gap: int, whole: int
) -> np.ndarray:
  """A strip `[h, whole, 3]` with a title in the middle of each column."""
  size = max(12, min(whole // 60, width // 8))
  letters = labels.font_of_size(size)
  while size > 8 and max(map(letters.getlength, titles)) > width:
    size -= 1
    letters = labels.font_of_size(size)
  strip, canvas = _strip(whole, size + 2 * _MARGIN)
  for i, title in enumerate(titles):
    middle = i * (width + gap) + width // 2
    canvas.text(
      (middle, strip.height // 2), title, 'black', letters, anchor='mm'
    )
  return np.asarray(strip)


def _legend(entries: Sequence[Entry], width: int) -> np.ndarray:
  """A strip `[h, width, 3]` of coloured squares and names, in lines."""
  size = max(12, width // 80)
  letters, line = labels.font_of_size(size), size + 2 * _MARGIN
  x, y = _MARGIN, _MARGIN
  places = []
  for entry in entries:
    square = 0 if entry.color is None else size + _MARGIN
    needed = square + int(letters.getlength(entry.text)) + 3 * _MARGIN
    if x > _MARGIN and x + needed > width:
      x, y = _MARGIN, y + line
    places.append((x, y, square))
    x += needed
  strip, canvas = _strip(width, y + line)
  for entry, (x, y, square) in zip(entries, places, strict=True):
    if entry.color is not None:
      canvas.rectangle((x, y, x + size, y + size), entry.color, 'black')
    canvas.text(
      (x + square, y + size // 2), entry.text, 'black', letters, anchor='lm'
    )
  return np.asarray(strip)


def _strip(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
  strip = Image.new('RGB', (width, height), 'white')
  return strip, ImageDraw.Draw(strip)
