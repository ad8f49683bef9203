"""Tests of the choice of images by their names."""

import numpy as np
import pytest

from data import image_choice


class _Set:
  """Images 139 and 285, with ids that are numbers or texts."""

  image_ids = (139, 285)
  sequences = {'0002': range(2)}

  def __init__(self, texts=None):
    self._texts = texts

  def result_id(self, image_id):
    return self._texts[image_id] if self._texts else image_id

  def file_name(self, image_id):
    return f'{image_id:012d}.png'


def test_images_are_named_by_ids_and_files():
  names = ['285', '000000000139.jpg', '000000000285', '139.png']
  found = image_choice.indices(_Set(), names, 'val')
  assert found.dtype == np.int64 and found.tolist() == [1, 0, 1, 0]
  texts = _Set({139: 'bern_a', 285: 'ulm_b'})
  found = image_choice.indices(texts, ['ulm_b', '000000000139'], 'val')
  assert found.tolist() == [1, 0]


@pytest.mark.parametrize(
  ('name', 'texts', 'sentence'),
  [
    ('138', None, "val has no image '138': did you mean '139'"),
    ('x', None, "val has no image 'x': the first is 139"),
    ('ulm', {139: 'a', 285: 'ulm_b'}, "no image 'ulm': did you mean 'ulm_b'"),
  ],
)
def test_other_names_are_refused(name, texts, sentence):
  with pytest.raises(ValueError, match=sentence):
    image_choice.indices(_Set(texts), [name], 'val')


def test_videos():
  assert image_choice.indices(_Set(), ['0002'], 'val').tolist() == [0, 1]
  image_choice.check_videos(['0002', '0006'], ('0006',), 'val')
  with pytest.raises(
    ValueError, match="val has no video '7': its videos are 0"
  ):
    image_choice.check_videos(['0002', '0006'], ('7',), 'val')
