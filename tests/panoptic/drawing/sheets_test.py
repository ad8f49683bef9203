"""Tests of sheets of pictures."""

import numpy as np

from panoptic import classes as classes_lib
from panoptic import maps
from panoptic.drawing import draw, sheets

_CLASSES = classes_lib.ClassTable(
  [
    classes_lib.Category(10, 'cup', True, (200, 60, 60)),
    classes_lib.Category(20, 'sky', False, (60, 200, 60)),
    classes_lib.Category(30, 'cat', True, (60, 60, 200)),
  ]
)


def test_a_legend_has_the_classes_that_are_shown():
  ids = np.array([[1, 2]])
  first = maps.PanopticMap(ids, [maps.Segment(1, 20), maps.Segment(2, 10)])
  entries = sheets.legend([first, first], _CLASSES)
  assert entries == [('cup', (200, 60, 60)), ('sky', (60, 200, 60))]
  second = maps.PanopticMap(ids * 0, [])
  assert sheets.legend([first, second], _CLASSES)[2:] == [('void', draw.VOID)]


def test_a_long_legend_is_cut():
  table = classes_lib.ClassTable(
    [classes_lib.Category(i, f'class {i}', True) for i in range(1, 134)]
  )
  segments = [maps.Segment(i, i) for i in range(1, 134)]
  shown = maps.PanopticMap(np.arange(1, 134)[None], segments)
  entries = sheets.legend([shown], table)
  assert len(entries) == 61 and entries[-1] == ('and 73 more classes', None)


def test_a_sheet_has_titles_above_and_a_legend_below():
  cells = [np.full([40, 50, 3], value, np.uint8) for value in (10, 20, 30)]
  titles = ('image', 'ground truth', 'prediction')
  entries = [sheets.Entry('cup', (200, 60, 60)), sheets.Entry('a remark')]
  sheet = sheets.sheet([cells, cells], titles, entries)
  assert sheet.dtype == np.uint8
  grid = draw.grid([cells, cells])
  assert sheet.shape[1] == grid.shape[1]
  (top,) = (
    i
    for i in range(sheet.shape[0] - grid.shape[0] + 1)
    if np.array_equal(sheet[i : i + grid.shape[0]], grid)
  )
  above, below = sheet[:top], sheet[top + grid.shape[0] :]
  for column in (slice(0, 50), slice(54, 104), slice(108, 158)):
    assert above[:, column].min() < 100
  assert (below == (200, 60, 60)).all(-1).sum() > 100
  assert below.min() < 50


def test_a_narrow_sheet_breaks_its_legend():
  cell = np.zeros([10, 60, 3], np.uint8)
  entries = [sheets.Entry('traffic', (1, 2, 3))] * 4
  one, four = (
    sheets.sheet([[cell]], ['x'], entries[:n]).shape[0] for n in (1, 4)
  )
  assert four > one + 30
