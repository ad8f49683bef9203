"""Tests of the names of images in result files."""

import os

import pytest

from data.reading import result_names
from panoptic import result_files


def _named(*names):
  return result_names.result_names(names, lambda index: f'image {index}')


@pytest.mark.parametrize(
  ('name', 'expected'),
  [
    ('a.png', 'a.png'),
    ('clip/0001.png', 'clip/0001.png'),
    ('./clip//0001.png', 'clip/0001.png'),
    ('/home/me/a.png', 'home/me/a.png'),
    ('//host/a.png', 'host/a.png'),
    ('../../a.png', 'a.png'),
    ('clip/../../a.png', 'a.png'),
    ('clip/../a.png', 'a.png'),
    ('clip\\0001.png', 'clip/0001.png'),
    ('..\\a.png', 'a.png'),
    ('C:\\data\\a.png', 'data/a.png'),
    ('c:/data/a.png', 'data/a.png'),
    ('a:1.png', 'a:1.png'),
    ('a.PNG', 'a.png'),
    ('a', 'a.png'),
    ('walk.1', 'walk.1.png'),
    ('ä b.png', 'ä b.png'),
    (f'{"x" * 251}.png', f'{"x" * 251}.png'),
  ],
)
def test_names_stay_within_the_folder_of_results(name, expected):
  (found,) = _named(name)
  assert found == expected
  assert result_files.check_name(found, 'image 0') == found
  assert os.path.normpath(os.path.join('out', found)).startswith('out/')
  assert _named(found) == [found]


@pytest.mark.parametrize(
  ('name', 'sentence'),
  [
    ('', 'image 1: .* is no name of a file'),
    ('..', 'image 1: .* is no name of a file'),
    ('/', 'image 1: .* is no name of a file'),
    ('a\0.png', 'image 1: .* is no name of a file'),
    ('\ud800.png', 'image 1: .* is no text of Unicode'),
    (f'{"x" * 252}.png', 'image 1: .* more than 255 bytes'),
    (f'{"ä" * 130}/a.png', 'image 1: .* more than 255 bytes'),
  ],
)
def test_what_no_file_can_be_named(name, sentence):
  with pytest.raises(ValueError, match=sentence) as error:
    _named('good.png', name)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize('other', ['a.PNG', 'a', '../a.png', 'x/../a.png'])
def test_two_images_have_two_names(other):
  with pytest.raises(ValueError, match='image 0 and image 2 are one image by'):
    _named('a.png', 'b.png', other)
