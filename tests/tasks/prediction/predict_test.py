"""Tests of prediction on images."""

import json

import numpy as np
import pytest
import tensorflow as tf
import tiny
from PIL import Image

from configs import base
from data import registry
from data.reading import spec
from panoptic import classes as classes_lib
from panoptic import maps, png
from tasks import class_file
from tasks.prediction import predict

_CLASSES = registry.class_table(base.Data())


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
  folder = tmp_path_factory.mktemp('checkpoint')
  model = tiny.build(seed=3)
  return tf.train.Checkpoint(model=model).write(str(folder / 'ckpt'))


def _image(path, height, width, seed=0):
  pixels = np.random.default_rng(seed).integers(0, 256, [height, width, 3])
  Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture
def images(tmp_path):
  """A folder with two images."""
  folder = tmp_path / 'images'
  folder.mkdir()
  _image(folder / 'tall.png', 50, 20)
  _image(folder / 'wide.JPG', 24, 60, seed=1)
  (folder / 'notes.txt').write_text('no image')
  return folder


@pytest.mark.slow
def test_images_of_any_size(
  images, checkpoint, tmp_path, capsys, reuse_network
):
  output = tmp_path / 'output'
  predict.run(tiny.experiment(), str(images), str(output), checkpoint)
  content = json.loads((output / 'panoptic.json').read_text())
  names = [a['file_name'] for a in content['annotations']]
  assert names == ['tall.png', 'wide.png']
  assert [a['image_id'] for a in content['annotations']] == ['tall', 'wide']
  assert content['images'] == [
    {'id': 'tall', 'file_name': 'tall.png', 'height': 50, 'width': 20},
    {'id': 'wide', 'file_name': 'wide.JPG', 'height': 24, 'width': 60},
  ]
  for annotation, size in zip(
    content['annotations'], ((50, 20), (24, 60)), strict=True
  ):
    name = annotation['file_name']
    segment_ids = png.read_ids(output / 'panoptic' / name, png.COCO)
    assert segment_ids.shape == size
    listed = {s['id'] for s in annotation['segments_info']}
    assert listed and listed == set(np.unique(segment_ids)) - {0}
    known = {c['id'] for c in content['categories']}
    assert {s['category_id'] for s in annotation['segments_info']} <= known
    with Image.open(output / 'overlay' / name) as overlay:
      assert overlay.height >= 256
      factor = overlay.height // size[0]
      assert overlay.size == (size[1] * factor, size[0] * factor)
  printed = capsys.readouterr().out
  assert 'weights loaded' in printed
  assert '1/2 ' in printed and '2/2 ' in printed and 'segments' in printed
  # The first image, which compiles, says nothing of the time left.
  assert printed.count(' images/s | ') == 1 and '0s left' in printed

  _fails(FileExistsError, 'has panoptic', str(images), str(output), checkpoint)
  ids = tmp_path / 'ids.json'
  ids.write_text('{"images": [{"id": 7, "file_name": "tall.png"}]}')
  (output / 'mine.txt').write_text('stays')
  arguments = str(images), str(output), checkpoint, str(ids)
  predict.run(tiny.experiment(), *arguments, overwrite=True)
  content = json.loads((output / 'panoptic.json').read_text())
  assert [a['image_id'] for a in content['annotations']] == [7]
  assert sorted(path.name for path in output.rglob('*.*')) == [
    *('mine.txt', 'panoptic.json', 'tall.png', 'tall.png')
  ]

  # The same image alone, again.
  image, alone = str(images / 'tall.png'), tmp_path / 'alone'
  predict.run(tiny.experiment(), image, str(alone), checkpoint)
  assert [p.name for p in (alone / 'panoptic').iterdir()] == ['tall.png']
  first, second = (
    (folder / 'panoptic' / 'tall.png').read_bytes()
    for folder in (output, alone)
  )
  assert first == second


def test_a_run_knows_its_classes(tmp_path):
  config = base.Experiment()
  config.data.name = 'coco_panoptic'
  official = class_file.of_weights(config, str(tmp_path / 'run/ckpt-1'))
  assert official.num_classes == 134
  own = classes_lib.ClassTable(
    [classes_lib.Category(7, 'apple', True, (1, 2, 3))]
  )
  class_file.save(own, str(tmp_path / 'run'))
  for checkpoint in ('run/ckpt-1', 'run/best/ckpt-1'):
    found = class_file.of_weights(config, str(tmp_path / checkpoint))
    assert found.categories == own.categories
  tf.train.Checkpoint(step=tf.Variable(0)).save(str(tmp_path / 'run/ckpt'))
  config.training.init_checkpoint = (str(tmp_path / 'run'),)
  assert class_file.of_weights(config, None).categories == own.categories


def _fails(error_type, sentence, *arguments):
  with pytest.raises(error_type, match=sentence) as error:
    predict.run(tiny.experiment(), *arguments)
  assert '\n' not in str(error.value)


def test_what_is_missing_is_told_before_anything_is_written(
  images, checkpoint, tmp_path
):
  output = tmp_path / 'output'
  empty = tmp_path / 'empty'
  empty.mkdir()
  folder, out = str(images), str(output)
  _fails(ValueError, 'needs --input', '', out, checkpoint)
  _fails(ValueError, 'needs --output', folder, '', checkpoint)
  nowhere = str(tmp_path / 'x')
  _fails(FileNotFoundError, 'no image or folder at', nowhere, out, checkpoint)
  _fails(FileNotFoundError, 'no image in .*jpg', str(empty), out, checkpoint)
  _fails(FileNotFoundError, 'no weights to predict with', folder, out, None)
  _fails(FileNotFoundError, 'no checkpoint at', folder, out, nowhere)
  assert not output.exists()


def test_two_images_of_one_name(images, checkpoint, tmp_path):
  _image(images / 'tall.jpg', 9, 9)
  output = tmp_path / 'output'
  _fails(
    ValueError, 'two images .* named tall', str(images), str(output), checkpoint
  )
  assert not output.exists()


@pytest.mark.parametrize('content', [b'', b'GIF89a?', None])
def test_file_that_is_no_image(images, checkpoint, tmp_path, content):
  path = images / 'zebra.jpg'
  if content is None:  # Cut short.
    _image(path, 300, 300)
    content = path.read_bytes()[:9000]
  path.write_bytes(content)
  output = tmp_path / 'output'
  _fails(
    ValueError,
    'zebra.jpg cannot be read as an image',
    str(images),
    str(output),
    checkpoint,
  )
  # It is the last of the images, and none was segmented in vain.
  assert not output.exists()


def _given(folder, ids, segments, name='tall'):
  """A folder of one map of a predicted image."""
  prediction = maps.PanopticMap(ids, segments)
  with spec.coco_results(str(folder), _CLASSES) as writer:
    writer.add(name, f'{name}.png', prediction)
  return str(folder / 'panoptic')


@pytest.mark.slow
def test_given_maps_are_completed_by_the_medoid(
  images, checkpoint, tmp_path, capsys, reuse_network
):
  ids = np.zeros([50, 20], np.int32)
  ids[:25, :9] = 700
  ids[25:, :9] = 3
  given = _given(
    tmp_path / 'maps', ids, [maps.Segment(700, 1), maps.Segment(3, 4)]
  )
  output = tmp_path / 'output'
  config = tiny.experiment(
    evaluation__samples=3, evaluation__min_segment_score=0.05
  )
  predict.run(config, str(images), str(output), checkpoint, given=given)
  assert '1 of 2 images have a given map' in capsys.readouterr().out
  content = json.loads((output / 'panoptic.json').read_text())
  tall, wide = (a['segments_info'] for a in content['annotations'])
  found = png.read_ids(output / 'panoptic' / 'tall.png', png.COCO)
  np.testing.assert_array_equal(found[ids > 0], ids[ids > 0])
  assert {s['id']: s['category_id'] for s in tall}.items() >= {
    700: 1,
    3: 4,
  }.items()
  for segment in (*tall, *wide):
    assert segment['id'] in (700, 3) or 0.05 <= segment['score'] <= 1
  assert wide


@pytest.mark.parametrize(
  ('size', 'category', 'name', 'error', 'sentence'),
  [
    ((50, 20), 1, 'other', FileNotFoundError, 'no map of an image of --inp.*'),
    ((50, 21), 1, 'tall', ValueError, 'tall.png has 50x21 pixels, but its im'),
  ],
)
def test_maps_that_do_not_fit(
  images, checkpoint, tmp_path, size, category, name, error, sentence
):
  ids = np.ones(size, np.int32)
  segments = [maps.Segment(1, category)]
  given = _given(tmp_path / 'maps', ids, segments, name)
  output = tmp_path / 'output'
  with pytest.raises(error, match=sentence) as found:
    predict.run(
      tiny.experiment(), str(images), str(output), checkpoint, given=given
    )
  assert '\n' not in str(found.value)
  assert not output.exists()


def test_a_first_mask_is_for_clips(images, checkpoint, tmp_path):
  with pytest.raises(ValueError, match='a first mask is for clips, but the ta'):
    predict.run(
      *(tiny.experiment(), str(images), str(tmp_path / 'out'), checkpoint),
      first_mask='mask.png',
    )
