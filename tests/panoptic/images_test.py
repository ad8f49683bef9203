"""Tests of opening images: the limit of pixels, without Pillow's own."""

import io
import struct
import warnings
import zlib

import pytest
import trees
from PIL import Image

from data import check
from panoptic import images, png
from tasks.prediction import image_files

_HUGE = 13_400, 13_400
_SENTENCE = (
  'it has 13400x13400 pixels, and 100,000,000 are the most that are read: '
  'make image and mask smaller, or cut both into parts'
)


def _huge_png():
  """A PNG whose header alone is huge."""
  file = io.BytesIO()
  Image.new('RGB', (4, 3)).save(file, 'PNG')
  content = bytearray(file.getvalue())
  content[16:24] = struct.pack('>II', *_HUGE)
  content[29:33] = zlib.crc32(content[12:29]).to_bytes(4)
  return bytes(content)


def _huge_jpeg():
  file = io.BytesIO()
  Image.new('RGB', (4, 3)).save(file, 'JPEG')
  content = bytearray(file.getvalue())
  start = content.index(b'\xff\xc0') + 5
  content[start : start + 4] = struct.pack('>HH', *_HUGE)
  return bytes(content)


def test_images_up_to_the_limit_are_opened_without_a_word():
  file = io.BytesIO()
  Image.new('1', (10_000, 10_000)).save(file, 'PNG')
  with warnings.catch_warnings(action='error'):
    with images.open_image(file.getvalue()) as image:
      assert image.size == (10_000, 10_000)


@pytest.mark.parametrize('content', [_huge_png(), _huge_jpeg()])
def test_what_is_too_large_is_named_with_its_size(tmp_path, content):
  path = tmp_path / 'a.png'
  path.write_bytes(content)
  with pytest.raises(ValueError, match=f'a.png: {_SENTENCE}'):
    image_files.read_image(str(path))
  with pytest.raises(ValueError, match=_SENTENCE):
    png.decode_ids(content, png.COCO)


@pytest.mark.parametrize('encoding', [png.COCO, png.KITTI_STEP])
def test_huge_labels_are_named_by_their_header(tmp_path, encoding):
  (tmp_path / 'a.png').write_bytes(_huge_png())
  with pytest.raises(ValueError, match=f'a.png: {_SENTENCE}'):
    png.size_of(tmp_path / 'a.png', encoding)


@pytest.mark.parametrize('list_all', [False, True])
@pytest.mark.parametrize('part', ['images', 'panoptic_maps'])
def test_the_check_names_the_file(tmp_path, part, list_all):
  trees.kitti_step(tmp_path)
  name = f'{part}/train/0001/000002.png'
  (tmp_path / name).write_bytes(_huge_png())
  if list_all:
    (reason,) = check.check('kitti_step', str(tmp_path), True).bad.values()
    assert reason == f'{tmp_path / name}: {_SENTENCE}'
  else:
    with pytest.raises(ValueError, match=f'{name}: {_SENTENCE}'):
      check.check('kitti_step', str(tmp_path))


def test_a_huge_size_in_an_annotation_is_refused(tmp_path):
  path = trees.coco(tmp_path)
  text = path.read_text().replace('"height": 24', '"height": 13400')
  path.write_text(text.replace('"width": 40', '"width": 13400'))
  with pytest.raises(ValueError, match=f'10.jpg: {_SENTENCE}'):
    trees.opened(tmp_path)
