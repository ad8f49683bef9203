"""Tests of the files of given maps."""

import json

import numpy as np
import pytest

from configs import base
from data import registry
from data.datasets import davis, kitti_step
from panoptic import maps, png
from tasks.prediction import given_maps

_CLASSES = registry.class_table(base.Data())


def _write_json(folder, **changes):
  """A map `a.png` of one segment, 7, with its JSON."""
  ids = np.full([2, 3], 7, np.int32)
  png.write_ids(folder / 'maps' / 'a.png', ids, png.COCO)
  segment = {'id': 7, 'category_id': 1, 'iscrowd': 0, 'area': 99}
  content = {
    'images': [{'id': 1, 'file_name': 'a.jpg', 'height': 2, 'width': 3}],
    'annotations': [
      {'image_id': 1, 'file_name': 'a.png', 'segments_info': [segment]}
    ],
    'categories': [
      {'id': c.id, 'name': c.name, 'isthing': int(c.isthing)}
      for c in _CLASSES.categories
    ],
    **changes,
  }
  (folder / 'maps.json').write_text(json.dumps(content))
  return str(folder / 'maps')


def _open(folder, data_name='shapes'):
  return given_maps.Folder(folder, data_name, _CLASSES)


def test_maps_in_cocos_format(tmp_path):
  found = _open(_write_json(tmp_path) + '/')
  assert found.has('a') and not found.has('b')
  ids, segments, _ = found.read('a')
  assert np.all(ids == 7)
  assert segments == [maps.Segment(7, 1)]
  with pytest.raises(ValueError, match='does not list b.png, so its classes'):
    found.read('b')


def test_maps_of_the_data_set(tmp_path):
  ids = np.array([[0, 1, 1, 3]], np.uint8)
  png.write_ids(tmp_path / '00000.png', ids, png.DAVIS)
  classes = davis.class_table()
  found = given_maps.read_first_mask(
    str(tmp_path / '00000.png'), 'davis', classes
  )
  assert [s.id for s in found.segments] == [1, 3]
  np.testing.assert_array_equal(found.segment_ids, ids)
  step = png.kitti_step_ids(np.array([[11, 13]]), np.array([[2, 3]]), 'a')
  png.write_ids(tmp_path / 'step' / '1.png', step, png.KITTI_STEP)
  folder = given_maps.Folder(
    str(tmp_path / 'step'), 'kitti_step', kitti_step.class_table()
  )
  assert folder.has('1') and not folder.has('2')
  found = folder.read('1')
  assert [s.category_id for s in found.segments] == [12, 14]


def test_what_is_missing(tmp_path):
  with pytest.raises(FileNotFoundError, match='maps is no folder: give the'):
    _open(str(tmp_path / 'maps'))
  folder = _write_json(tmp_path)
  (tmp_path / 'maps.json').unlink()
  for name in ('shapes', 'coco_panoptic'):
    with pytest.raises(FileNotFoundError, match='maps.json is missing, which'):
      _open(folder, name)
  classes = _CLASSES
  for path, error, sentence in (
    ('b.png', FileNotFoundError, 'b.png does not exist: give the mask'),
    ('a.jpg', ValueError, 'a.jpg is no PNG: give a label PNG'),
    ('a.png', FileNotFoundError, 'maps.json is missing'),
  ):
    with pytest.raises(error, match=sentence) as found:
      given_maps.read_first_mask(f'{folder}/{path}', 'shapes', classes)
    assert '\n' not in str(found.value)


def test_other_classes(tmp_path):
  other = [{'id': 1, 'name': 'zebra', 'isthing': 1}]
  folder = _write_json(tmp_path, categories=other)
  with pytest.raises(ValueError, match="category 1 has the name 'zebra' in"):
    _open(folder)
