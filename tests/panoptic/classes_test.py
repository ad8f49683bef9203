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


def test_tables_match_in_any_order_and_color():
  table = classes_lib.ClassTable([_CAT, _SKY])
  other = classes_lib.ClassTable([_SKY._replace(color=(9, 9, 9)), _CAT])
  assert classes_lib.matched(table, other, 'train', 'val') is table
  assert classes_lib.matched(other, table, 'train', 'val') is other


@pytest.mark.parametrize(
  ('categories', 'difference'),
  [
    ([_CAT._replace(id=8), _SKY], "id 7, 'cat' .a thing., is missing; id 8"),
    ([_CAT._replace(name='dog'), _SKY], "id 7 is 'dog' .* instead of 'cat'"),
    ([_CAT, _SKY._replace(isthing=True)], 'a thing. instead of .*stuff'),
    ([_CAT], "id 200, 'sky' .stuff., is missing"),
    ([_CAT, _SKY, _CAT._replace(id=1)], "id 1, 'cat' .a thing., is new"),
    ([], "id 7, 'cat' .a thing., is missing; id 200"),
  ],
)
def test_tables_that_differ_are_told_apart(categories, difference):
  table = classes_lib.ClassTable([_CAT, _SKY])
  other = classes_lib.ClassTable(categories)
  expected = f'^val has other classes than the run x: {difference}.*: give both'
  with pytest.raises(ValueError, match=expected) as error:
    classes_lib.matched(table, other, 'the run x', 'val')
  assert '\n' not in str(error.value)


def test_of_many_differences_the_first_are_named():
  tables = [
    classes_lib.ClassTable(
      [classes_lib.Category(i, f'{kind}{i}', True) for i in range(1, 134)]
    )
    for kind in 'ab'
  ]
  with pytest.raises(ValueError, match="id 3 is 'b3'.*; and 130 more: give"):
    classes_lib.matched(*tables, 'train', 'val')
