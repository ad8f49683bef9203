"""Tests of the conversion of COCO's instances."""

import copy
import json
import os

import numpy as np
import pytest
import trees
from pycocotools import mask as mask_lib

from data import check, instances_to_panoptic
from panoptic import png

_BALL, _BOX = 3, 7


def _square(x, y, side):
  return [x, y, x + side, y, x + side, y + side, x, y + side]


def _write(root, change=lambda content: None):
  """Two images, the second without an object; the path of the JSON file.

  A large box and a small ball on it, a crowd as RLE, and a ball that another
  hides.
  """
  crowd = np.zeros([24, 40], np.uint8)
  crowd[20:, 30:] = 1
  runs = np.flatnonzero(np.diff(crowd.ravel('F'), prepend=0, append=0))
  counts = np.diff(runs, prepend=0, append=24 * 40).tolist()
  packed = np.zeros([24, 40], np.uint8)
  packed[2:4, 30:38] = 1
  compressed = mask_lib.encode(np.asfortranarray(packed))['counts'].decode()
  objects = [
    (_BALL, 0, [_square(4, 4, 6)]),
    (_BOX, 0, [_square(2, 2, 16), _square(20, 2, 4)]),
    (_BALL, 1, {'size': [24, 40], 'counts': counts}),
    (_BALL, 0, [_square(12, 12, 2)]),
    (_BALL, 0, [_square(12, 12, 2)]),
    (_BOX, 0, {'size': [24, 40], 'counts': compressed}),
  ]
  content = {
    'info': {'description': 'boxes and balls'},
    'images': [
      {'id': 5, 'file_name': 'a/first.jpg', 'height': 24, 'width': 40},
      {'id': 6, 'file_name': 'second.jpeg', 'height': 24, 'width': 40},
    ],
    'annotations': [
      {
        'id': 100 + i,
        'image_id': 5,
        'category_id': category,
        'iscrowd': iscrowd,
        'bbox': [0, 0, 40, 24],
        'area': 1.5,
        'segmentation': segmentation,
      }
      for i, (category, iscrowd, segmentation) in enumerate(objects)
    ],
    'categories': [
      {'id': _BALL, 'name': 'ball', 'supercategory': 'toy'},
      {'id': _BOX, 'name': 'box', 'supercategory': 'toy'},
    ],
  }
  change(content)
  path = root / 'annotations/instances_train.json'
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(json.dumps(content))
  for image in content['images']:
    trees.save_image(root / 'train' / image['file_name'])
  return path


def test_objects_become_segments(tmp_path, capsys):
  path = _write(tmp_path)
  done = instances_to_panoptic.convert(str(path), str(tmp_path), 'train')
  assert done[1:] == (2, 5, 1)
  found = check.check('panoptic_folder', str(tmp_path))
  assert 'train: 2 images, 5 segments, 1 of them crowds' in (
    capsys.readouterr().out
  )
  segments = found.segments['train/a/first.png']
  assert [(s.id, s.category_id, s.iscrowd, s.area) for s in segments] == [
    (1, _BALL, 0, 36),
    (2, _BOX, 0, 16 * 16 + 4 * 4 - 36 - 4),
    (3, _BALL, 1, 40),
    (4, _BALL, 0, 4),  # The later one of two alike.
    (5, _BOX, 0, 16),
  ]
  assert found.segments['train/second.png'] == []
  labels = tmp_path / 'annotations/panoptic_train'
  ids = png.read_ids(labels / 'a/first.png', png.COCO)
  expected = np.zeros([24, 40], int)
  expected[2:18, 2:18] = expected[2:6, 20:24] = 2
  expected[4:10, 4:10], expected[20:, 30:] = 1, 3
  expected[12:14, 12:14], expected[2:4, 30:38] = 4, 5
  np.testing.assert_array_equal(ids, expected)
  dataset = trees.opened(tmp_path, 'train')
  assert dataset.image_ids == [5, 6]
  assert [c[:3] for c in dataset.classes.categories] == [
    (_BALL, 'ball', True),
    (_BOX, 'box', True),
  ]
  truth = dataset.ground_truth(5)
  np.testing.assert_array_equal(truth.segment_ids, expected)


def test_nothing_is_overwritten_and_a_stopped_conversion_starts_again(
  tmp_path, monkeypatch
):
  path = _write(tmp_path)
  arguments = str(path), str(tmp_path), 'train'

  def fail(*args):
    raise OSError('no space left on device')

  with monkeypatch.context() as patch:
    patch.setattr(png, 'write_ids', fail)
    with pytest.raises(OSError, match='no space'):
      instances_to_panoptic.convert(*arguments)
  instances_to_panoptic.convert(*arguments)
  assert sorted(os.listdir(tmp_path / 'annotations')) == [
    'instances_train.json',
    'panoptic_train',
    'panoptic_train.json',
  ]
  with pytest.raises(FileExistsError, match='panoptic_train.json exists'):
    instances_to_panoptic.convert(*arguments)
  (tmp_path / 'annotations/panoptic_train.json').unlink()
  with pytest.raises(FileExistsError, match='panoptic_train exists already'):
    instances_to_panoptic.convert(*arguments)


def _of_first(**changes):
  return lambda content: content['annotations'][0].update(changes)


_BAD = {
  'no polygon': (_of_first(segmentation=[]), 'neither polygons nor an RLE'),
  'a text': (_of_first(segmentation='x'), 'neither polygons nor an RLE'),
  'a box for a polygon': (
    _of_first(segmentation=[[1, 1, 5, 5]]),
    'annotation 100 of image 5 has a polygon that is no list',
  ),
  'an odd polygon': (_of_first(segmentation=[[1] * 7]), 'three points'),
  'points as pairs': (_of_first(segmentation=[[[1, 2]] * 3]), 'three points'),
  'a flat polygon': (_of_first(segmentation=[1] * 8), 'three points'),
  'text in a polygon': (_of_first(segmentation=[['1'] * 8]), 'three points'),
  'no number': (_of_first(segmentation=[[float('nan')] * 8]), 'far outside'),
  'far away': (_of_first(segmentation=[[1e9] * 8]), 'far outside of its image'),
  'RLE of another size': (
    _of_first(segmentation={'size': [40, 24], 'counts': [960]}),
    r'the size \[40, 24\], but its image is \[24, 40\]',
  ),
  'RLE too long': (
    _of_first(segmentation={'size': [24, 40], 'counts': [961]}),
    "an RLE whose 'counts' are not those of its image",
  ),
  'negative runs': (
    _of_first(segmentation={'size': [24, 40], 'counts': [1000, -40]}),
    "an RLE whose 'counts' are not those of its image",
  ),
  'garbled RLE': (
    _of_first(segmentation={'size': [24, 40], 'counts': 'hello~'}),
    "an RLE whose 'counts' are not those of its image",
  ),
  'no counts': (
    _of_first(segmentation={'size': [24, 40]}),
    'neither whole numbers nor a text',
  ),
  'unknown category': (
    _of_first(category_id=9),
    'category_id 9, which is none of the 2 categories',
  ),
  'unknown image': (_of_first(image_id=9), 'of image 9 has no such image'),
  'boxes alone': (
    lambda c: [a.pop('segmentation') for a in c['annotations']],
    "an entry of 'annotations' has no 'segmentation'",
  ),
  'a crowd of seven': (_of_first(iscrowd=7), "7 for its 'iscrowd'"),
  'no annotation': (lambda c: c.update(annotations=[]), 'give at least one'),
  'an image twice': (
    lambda c: c['images'].append(copy.copy(c['images'][0])),
    'image id 5 stands twice',
  ),
  'names that differ by their endings': (
    lambda c: c['images'][1].update(file_name='a/first.png'),
    'image 5 and image 6 are one image by name, a/first.png',
  ),
  'a category twice': (
    lambda c: c['categories'].append(c['categories'][0]),
    'category id 3 .* must be positive',
  ),
}


@pytest.mark.parametrize('name', _BAD)
def test_bad_files_are_refused_before_anything_is_written(tmp_path, name):
  change, sentence = _BAD[name]
  path = _write(tmp_path, change)
  with pytest.raises(ValueError, match=f'{path}: .*{sentence}') as error:
    instances_to_panoptic.convert(str(path), str(tmp_path), 'train')
  assert '\n' not in str(error.value)
  assert os.listdir(tmp_path / 'annotations') == ['instances_train.json']


def test_files_that_are_not_there():
  with pytest.raises(FileNotFoundError, match='give a JSON file of COCO'):
    instances_to_panoptic.convert('nowhere.json', 'nowhere', 'train')
  with pytest.raises(ValueError, match='is not on a local disk'):
    instances_to_panoptic.convert('nowhere.json', 'gs://bucket', 'train')


@pytest.mark.parametrize('name', ['panoptic_folder', 'coco_panoptic'])
@pytest.mark.parametrize('renamed', [False, True])
def test_a_folder_of_instances_is_told_how_to_convert_them(
  tmp_path, name, renamed
):
  """Also where the file was given the name of a panoptic one."""
  split = 'val2017' if name == 'coco_panoptic' else 'train'
  path = _write(tmp_path)
  (tmp_path / 'train').rename(tmp_path / split)
  path = path.rename(path.with_name(f'instances_{split}.json'))
  if renamed:
    path.rename(path.with_name(f'panoptic_{split}.json'))
    (path.parent / f'panoptic_{split}').mkdir()
  command = (
    f'python -m data.instances_to_panoptic --instances={path} '
    f'--dir={tmp_path} --split={split}'
  )
  with pytest.raises((ValueError, FileNotFoundError)) as error:
    check.check(name, str(tmp_path))
  assert command in str(error.value) and '\n' not in str(error.value)
  with pytest.raises((ValueError, FileNotFoundError)) as error:
    trees.opened(tmp_path, split)
  assert command in str(error.value)
