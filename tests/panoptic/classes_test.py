"""Tests of class tables and their colours."""

import numpy as np
import pytest

from panoptic import classes as classes_lib

_CAT = classes_lib.Category(7, 'cat', True, (1, 2, 3))
_SKY = classes_lib.Category(200, 'sky', False, (4, 5, 6))


def test_class_table_goes_there_and_back():
  table = classes_lib.ClassTable([_CAT, _SKY])
  assert table.num_classes == 3
  classes = table.to_contiguous([[7, 0], [200, 7]])
  np.testing.assert_array_equal(classes, [[1, 0], [2, 1]])
  assert table.category(2) == _SKY


@pytest.mark.parametrize('category_id', [1, 8, 201, -1])
def test_unknown_category_is_named(category_id):
  with pytest.raises(ValueError, match=f'category id {category_id} is not'):
    classes_lib.ClassTable([_CAT, _SKY]).to_contiguous([7, category_id])


def test_wrong_tables_and_classes_are_refused():
  with pytest.raises(ValueError, match='category id 7'):
    classes_lib.ClassTable([_CAT, _CAT])
  for contiguous in (0, 3):
    with pytest.raises(ValueError, match=f'class {contiguous} is no'):
      classes_lib.ClassTable([_CAT, _SKY]).category(contiguous)


def test_palette_has_no_two_equal_colors():
  assert len({classes_lib.palette_color(i) for i in range(133)}) == 133


def test_table_as_text_comes_back():
  table = classes_lib.ClassTable([_CAT, _SKY])
  again = classes_lib.ClassTable.from_json(table.to_json())
  assert again.categories == table.categories
  np.testing.assert_array_equal(table.isthing, [False, True, False])
