"""Tests of the ids of images."""

import numpy as np
import pytest

from panoptic import image_ids


@pytest.mark.parametrize(
  'value', [0, -7, 2**62, 'frankfurt_000000_000294', '1']
)
def test_numbers_and_texts_are_ids(value):
  assert image_ids.parse(value) == value


def test_numbers_of_other_kinds_become_plain():
  for value in (np.int64(5), 5.0):
    assert image_ids.parse(value) == 5 and type(image_ids.parse(value)) is int


@pytest.mark.parametrize(
  'value', ['', 5.5, True, None, [1], 2**70, float('nan')]
)
def test_what_is_no_id_is_refused(value):
  with pytest.raises(ValueError, match='is no image id: write a whole number'):
    image_ids.parse(value)


@pytest.mark.parametrize(
  ('stem', 'expected'),
  [
    ('000000000139', 139),
    ('0', 0),
    ('frame8', 'frame8'),
    ('8.rgb', '8.rgb'),
    ('²', '²'),
    ('9' * 19, '9' * 19),
    ('0' * 20 + '7', 7),
  ],
)
def test_ids_of_names(stem, expected):
  assert image_ids.from_name(stem) == expected


def test_a_number_and_its_text_are_one_id():
  assert image_ids.two_spellings([1, 'a', '1']) == (1, '1')
  assert image_ids.two_spellings([1, '01', 1, 'a', 'a']) is None


def test_ids_are_kept_as_they_are():
  ids = (1, '1', 'ä', '\0', -3)
  assert image_ids.loads(np.array(image_ids.dumps(ids)).tolist()) == ids
