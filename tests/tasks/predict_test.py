import json

import numpy as np
import pytest
import tensorflow as tf
import tiny
from PIL import Image

from configs import base
from panoptic import classes as classes_lib
from panoptic import png
from tasks import predict


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
  folder = tmp_path_factory.mktemp('checkpoint')
  model = tiny.build(seed=3)
  return tf.train.Checkpoint(model=model).write(str(folder / 'ckpt'))


def _photo(path, height, width, seed=0):
  pixels = np.random.default_rng(seed).integers(0, 256, [height, width, 3])
  Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture
def photos(tmp_path):
  """A folder with two photos."""
  folder = tmp_path / 'photos'
  folder.mkdir()
  _photo(folder / 'tall.png', 50, 20)
  _photo(folder / 'wide.JPG', 24, 60, seed=1)
  (folder / 'notes.txt').write_text('no photo')
  return folder


def test_photos_of_any_size(photos, checkpoint, tmp_path, capsys):
  output = tmp_path / 'output'
  predict.run(tiny.experiment(), str(photos), str(output), checkpoint)
  content = json.loads((output / 'panoptic.json').read_text())
  names = [a['file_name'] for a in content['annotations']]
  assert names == ['tall.png', 'wide.png']
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

  # The same photo alone, again.
  photo, alone = str(photos / 'tall.png'), tmp_path / 'alone'
  predict.run(tiny.experiment(), photo, str(alone), checkpoint)
  assert [p.name for p in (alone / 'panoptic').iterdir()] == ['tall.png']
  first, second = (
    (folder / 'panoptic' / 'tall.png').read_bytes()
    for folder in (output, alone)
  )
  assert first == second


def test_photos_of_other_modes_are_read_as_rgb(tmp_path):
  for mode in ('L', 'RGBA', 'P', 'CMYK'):
    path = tmp_path / f'{mode}.{"jpg" if mode == "CMYK" else "png"}'
    Image.new(mode, (5, 4)).save(path)
    photo = predict.read_photo(str(path))
    assert photo.shape == (4, 5, 3) and photo.dtype == np.uint8


def test_gray_of_16_bits_keeps_its_shades(tmp_path):
  path = tmp_path / 'deep.png'
  shades = np.arange(0, 65536, 4096, np.uint16).reshape(4, 4)
  Image.fromarray(shades).save(path)
  photo = predict.read_photo(str(path))
  np.testing.assert_array_equal(photo[..., 0], shades >> 8)


def test_a_run_knows_its_classes(tmp_path):
  config = base.Experiment()
  config.data.name = 'coco_panoptic'
  official = predict.classes_of(config, str(tmp_path / 'run/ckpt-1'))
  assert official.num_classes == 134
  own = classes_lib.ClassTable(
    [classes_lib.Category(7, 'apple', True, (1, 2, 3))]
  )
  own.save(str(tmp_path / 'run'))
  for checkpoint in ('run/ckpt-1', 'run/best/ckpt-1'):
    found = predict.classes_of(config, str(tmp_path / checkpoint))
    assert found.categories == own.categories


def test_photos_are_turned_upright(tmp_path):
  pixels = np.zeros([20, 30, 3], np.uint8)
  pixels[:, 15:] = 250
  exif = Image.Exif()
  exif[0x0112] = 6  # To be turned clockwise by a quarter.
  path = tmp_path / 'photo.png'
  Image.fromarray(pixels).save(path, exif=exif)
  photo = predict.read_photo(str(path))
  np.testing.assert_array_equal(photo, np.rot90(pixels, -1))


def _fails(error_type, sentence, *arguments):
  with pytest.raises(error_type, match=sentence) as error:
    predict.run(tiny.experiment(), *arguments)
  assert '\n' not in str(error.value)


def test_what_is_missing_is_told_before_anything_is_written(
  photos, checkpoint, tmp_path
):
  output = tmp_path / 'output'
  empty = tmp_path / 'empty'
  empty.mkdir()
  folder, out = str(photos), str(output)
  _fails(ValueError, 'needs --input', '', out, checkpoint)
  _fails(ValueError, 'needs --output', folder, '', checkpoint)
  nowhere = str(tmp_path / 'x')
  _fails(FileNotFoundError, 'no photo or folder at', nowhere, out, checkpoint)
  _fails(FileNotFoundError, 'no photo in .*jpg', str(empty), out, checkpoint)
  _fails(FileNotFoundError, 'no weights to predict with', folder, out, None)
  _fails(FileNotFoundError, 'no checkpoint at', folder, out, nowhere)
  assert not output.exists()


def test_two_photos_of_one_name(photos, checkpoint, tmp_path):
  _photo(photos / 'tall.jpg', 9, 9)
  output = tmp_path / 'output'
  _fails(
    ValueError, 'two photos .* named tall', str(photos), str(output), checkpoint
  )
  assert not output.exists()


@pytest.mark.parametrize('content', [b'', b'GIF89a?', None])
def test_file_that_is_no_photo(photos, checkpoint, tmp_path, content):
  path = photos / 'zebra.jpg'
  if content is None:  # Cut short.
    _photo(path, 300, 300)
    content = path.read_bytes()[:9000]
  path.write_bytes(content)
  output = tmp_path / 'output'
  _fails(
    ValueError,
    'zebra.jpg cannot be read as a picture',
    str(photos),
    str(output),
    checkpoint,
  )
  # It is the last of the photos, and none was segmented in vain.
  assert not output.exists()
