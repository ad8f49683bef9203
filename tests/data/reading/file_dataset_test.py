"""Tests of reading files in COCO's format, on a miniature and on tiny ones."""

import json

import numpy as np
import pytest
import shared
import tensorflow as tf
import trees
from PIL import Image

from configs import base
from data import pipeline, registry
from panoptic import maps

_IDS = np.array([[300, 300, 70000], [300, 0, 5], [300, 5, 5]])


def _write(root, changes=lambda content: None):
  """Two images: segments 300 (4 px), 5 (3 px) and the crowd 70000 (1 px)."""
  masks = root / 'annotations' / 'panoptic_val2017'
  masks.mkdir(parents=True)
  (root / 'val2017').mkdir()
  content = {
    'images': [],
    'annotations': [],
    'categories': [
      {'id': 1, 'name': 'person', 'isthing': 1},
      {'id': 199, 'name': 'wall', 'isthing': 0, 'color': [9, 8, 7]},
    ],
  }
  mask = np.stack([_IDS % 256, _IDS // 256 % 256, _IDS // 65536], axis=-1)
  for key in (12, 7):
    Image.new('RGB', (3, 3), (200, 100, 50)).save(root / f'val2017/{key}.jpg')
    Image.fromarray(mask.astype(np.uint8)).save(masks / f'{key}.png')
    content['images'].append(
      {'id': key, 'file_name': f'{key}.jpg', 'height': 3, 'width': 3}
    )
    content['annotations'].append(
      {
        'image_id': key,
        'file_name': f'{key}.png',
        'segments_info': [
          {'id': 5, 'category_id': 1, 'iscrowd': 0, 'area': 3},
          {'id': 300, 'category_id': 199, 'iscrowd': 0, 'area': 4},
          {'id': 70000, 'category_id': 1, 'iscrowd': 1, 'area': 1},
        ],
      }
    )
  changes(content)
  (root / 'annotations/panoptic_val2017.json').write_text(json.dumps(content))
  return str(root)


def _segments(content):
  return content['annotations'][1]['segments_info']


@pytest.mark.parametrize('cache', [False, True])
def test_labels_of_hand_written_files(tmp_path, cache):
  dataset = trees.opened(_write(tmp_path), 'val2017', cache)
  assert dataset.image_ids == [7, 12]
  assert dataset.num_examples == 2
  example = dataset.example(tf.constant(0, tf.int64))
  assert example['image_id'] == 7
  assert example['image'].dtype == tf.uint8
  assert example['label_map'].dtype == tf.int32
  label_map = example['label_map'].numpy()
  np.testing.assert_array_equal(
    label_map[..., 0], [[2, 2, 0], [2, 0, 1], [2, 1, 1]]
  )
  np.testing.assert_array_equal(
    label_map[..., 1], [[1, 1, 0], [1, 0, 2], [1, 2, 2]]
  )


def test_host_side_of_hand_written_files(tmp_path):
  dataset = trees.opened(_write(tmp_path), 'val2017')
  person, wall = dataset.classes.categories
  assert (person.id, person.name, person.isthing) == (1, 'person', True)
  assert (wall.id, wall.color, wall.isthing) == (199, (9, 8, 7), False)
  truth = dataset.ground_truth(12)
  np.testing.assert_array_equal(truth.segment_ids, _IDS)
  assert truth.segments[2] == maps.Segment(70000, 1, 1, 1)
  assert dataset.image(12).shape == (3, 3, 3)
  assert dataset.file_name(12) == '12.png'


def _drop(key):
  return lambda content: content.pop(key)


@pytest.mark.parametrize(
  'changes, message',
  [
    (_drop('categories'), "has no 'categories'"),
    (lambda c: c['images'][0].pop('width'), "'images' has no 'width'"),
    (lambda c: _segments(c)[0].pop('area'), "image 7 has no 'area'"),
    (lambda c: _segments(c)[0].update(category_id=2), 'category id 2 is not'),
    (lambda c: c['images'].append(c['images'][0]), 'image id 12 stands twice'),
    (lambda c: c['images'].pop(), 'annotation of image 7 has no image'),
    (
      lambda c: c['annotations'].append(c['annotations'][0]),
      'image 12 has two annotations',
    ),
    (lambda c: _segments(c)[0].update(id=300), 'segment ids of image 7'),
    (lambda c: _segments(c)[0].update(id=0), 'image 7 has 0 for its .id.'),
    (lambda c: c.update(annotations=[]), 'no annotation'),
    (
      lambda c: c['categories'].append(c['categories'][0]),
      'category id 1 .* once',
    ),
  ],
)
def test_wrong_json_is_refused(tmp_path, changes, message):
  folder = _write(tmp_path, changes)
  with pytest.raises(ValueError, match=f'panoptic_val2017.json.*{message}'):
    trees.opened(folder, 'val2017')


def test_what_is_no_json_is_refused(tmp_path):
  folder = _write(tmp_path)
  (tmp_path / 'annotations/panoptic_val2017.json').write_text('<html>')
  with pytest.raises(ValueError, match='panoptic_val2017.json is not JSON'):
    trees.opened(folder, 'val2017')


def test_missing_folder_is_named(tmp_path):
  with pytest.raises(ValueError, match='data.dir is empty'):
    registry.create(base.Data(name='coco_panoptic'), 'val2017')
  with pytest.raises(FileNotFoundError, match='nowhere does not exist'):
    trees.opened(tmp_path / 'nowhere', 'val2017')


@pytest.mark.parametrize(
  'name',
  ['annotations/panoptic_val2017.json', 'annotations/panoptic_val2017']
  + ['val2017'],
)
def test_missing_part_is_named(tmp_path, name):
  folder = _write(tmp_path)
  (tmp_path / name).rename(tmp_path / 'elsewhere')
  with pytest.raises(FileNotFoundError, match=f'{name} does not exist'):
    trees.opened(folder, 'val2017')


@pytest.mark.parametrize(
  'name', ['val2017/7.jpg', 'annotations/panoptic_val2017/7.png']
)
def test_missing_file_is_named(tmp_path, name):
  folder = _write(tmp_path)
  (tmp_path / name).unlink()
  with pytest.raises(FileNotFoundError, match=f'lacks 1 of the 2 .*/{name}'):
    trees.opened(folder, 'val2017')


@pytest.mark.slow
@pytest.mark.parametrize(
  'name', ['val2017/7.jpg', 'annotations/panoptic_val2017/7.png']
)
@pytest.mark.parametrize('keep', [0, 0.8])
def test_broken_file_is_named_when_read(tmp_path, name, keep):
  dataset = trees.opened(_write(tmp_path), 'val2017')
  content = (tmp_path / name).read_bytes()
  (tmp_path / name).write_bytes(content[: int(len(content) * keep)])
  config = base.Experiment()
  config.training.batch_size = config.evaluation.batch_size = 2
  with pytest.raises(tf.errors.InvalidArgumentError, match=name) as error:
    list(pipeline.train_dataset(dataset, config).take(1))
  assert 'broken' in str(error.value)
  if name.endswith('.png'):  # Evaluation reads labels on the host.
    with pytest.raises(ValueError, match=f'{name}: .*broken'):
      dataset.ground_truth(7)
  else:
    with pytest.raises(tf.errors.InvalidArgumentError, match=name) as error:
      list(pipeline.eval_dataset(dataset, config))
    assert 'broken' in str(error.value)


def test_wrong_size_is_named_when_read(tmp_path):
  folder = _write(tmp_path, lambda c: c['images'][1].update(width=4))
  dataset = trees.opened(folder, 'val2017')
  with pytest.raises(tf.errors.InvalidArgumentError, match='7.jpg.*size'):
    dataset.example(tf.constant(0, tf.int64))
  with pytest.raises(ValueError, match='7.png: the size'):
    dataset.ground_truth(7)


@pytest.mark.parametrize('new_id', [6, 299, 70001])
@pytest.mark.parametrize('added', [False, True])
def test_wrong_ids_are_named_when_read(tmp_path, new_id, added):
  def change(content):
    if added:
      _segments(content).append({**_segments(content)[0], 'id': new_id})
    else:
      _segments(content)[0]['id'] = new_id

  dataset = trees.opened(_write(tmp_path, change), 'val2017')
  with pytest.raises(tf.errors.InvalidArgumentError, match='7.png.* ids'):
    dataset.example(tf.constant(0, tf.int64))
  with pytest.raises(ValueError, match='7.png: the segment ids'):
    dataset.ground_truth(7)


@pytest.mark.parametrize('split', ['train2017', 'val2017'])
def test_real_images_agree_with_their_files(split):
  root = shared.path('data', 'coco_panoptic_mini')
  dataset = trees.opened(root, split)
  assert dataset.classes.num_classes == 134
  assert len({c.color for c in dataset.classes.categories}) == 133
  content = json.loads(
    (root / f'annotations/panoptic_{split}.json').read_text()
  )
  annotations = sorted(content['annotations'], key=lambda a: a['image_id'])
  assert dataset.image_ids == [a['image_id'] for a in annotations]
  read = tf.function(dataset.example)
  for index, annotation in enumerate(annotations):
    path = root / f'annotations/panoptic_{split}' / annotation['file_name']
    rgb = np.array(Image.open(path).convert('RGB')).astype(np.int64)
    ids = rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2]
    label_map = read(tf.constant(index, tf.int64))['label_map'].numpy()
    areas = []
    for segment in annotation['segments_info']:
      inside = ids == segment['id']
      (number,) = np.unique(label_map[..., 1][inside])
      (kind,) = np.unique(label_map[..., 0][inside])
      if segment['iscrowd']:
        assert number == kind == 0
        continue
      category = dataset.classes.category(kind)
      assert category.id == segment['category_id']
      assert (label_map[..., 1] == number).sum() == inside.sum()
      areas.append((number, inside.sum()))
    numbers, areas = zip(*sorted(areas), strict=True)
    assert numbers == tuple(range(1, len(numbers) + 1))
    assert list(areas) == sorted(areas, reverse=True)
    assert (label_map[..., 1][ids == 0] == 0).all()
    truth = dataset.ground_truth(annotation['image_id'])
    np.testing.assert_array_equal(truth.segment_ids, ids)
    assert len(truth.segments) == len(annotation['segments_info'])
