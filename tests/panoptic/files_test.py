"""Tests of reading text: all that people edit may have a byte-order mark."""

import codecs
import json

import pytest
import trees

from configs import loading
from data.datasets import coco_json, davis
from metrics import clip_folders, panoptic_files
from panoptic import classes, files
from tasks import class_file

_MARKED = {
  'UTF-8': codecs.BOM_UTF8 + 'Äpfel\r\n'.encode(),
  'UTF-16, little': codecs.BOM_UTF16_LE + 'Äpfel\r\n'.encode('utf-16-le'),
  'UTF-16, big': codecs.BOM_UTF16_BE + 'Äpfel\r\n'.encode('utf-16-be'),
  'UTF-32, little': codecs.BOM_UTF32_LE + 'Äpfel\r\n'.encode('utf-32-le'),
  'UTF-32, big': codecs.BOM_UTF32_BE + 'Äpfel\r\n'.encode('utf-32-be'),
  'none': 'Äpfel\r\n'.encode(),
}


@pytest.mark.parametrize('name', _MARKED)
def test_text_is_read_without_its_mark(tmp_path, name):
  (tmp_path / 'a.txt').write_bytes(_MARKED[name])
  assert files.read_text(tmp_path / 'a.txt') == 'Äpfel\r\n'


@pytest.mark.parametrize('content', [b'\xff', 'Ä'.encode('latin-1')])
def test_what_is_no_text_is_named(tmp_path, content):
  (tmp_path / 'a.txt').write_bytes(content)
  with pytest.raises(
    ValueError, match='a.txt is not text .*: save it as UTF-8'
  ):
    files.read_text(tmp_path / 'a.txt')
  with pytest.raises(FileNotFoundError):
    files.read_text(tmp_path / 'b.txt')


def _mark(path, encoding):
  path.write_bytes(path.read_text().encode(encoding))


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16'])
def test_all_that_people_edit_may_have_a_mark(tmp_path, encoding):
  path = trees.coco(tmp_path)
  content = json.loads(path.read_text())
  _mark(path, encoding)
  assert coco_json.read_json(str(path)) == content
  assert panoptic_files.read_json(path) == content

  trees.davis(tmp_path)
  names = tmp_path / 'ImageSets/2017/val.txt'
  _mark(names, encoding)
  assert clip_folders.read_sequences(names) == ['camel']
  assert len(davis.list_split(str(tmp_path), 'val').samples) == 3

  config = tmp_path / 'config.yaml'
  config.write_text('training: {steps: 7}\n')
  _mark(config, encoding)
  assert loading.load('shapes', str(config)).training.steps == 7

  table = classes.ClassTable([classes.Category(3, 'apple', True)])
  class_file.save(table, str(tmp_path))
  _mark(tmp_path / 'classes.json', encoding)
  found = class_file.load(str(tmp_path))
  assert found is not None and found.categories == table.categories
