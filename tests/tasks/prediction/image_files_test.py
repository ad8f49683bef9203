"""Tests of finding and reading a user's images and clips."""

import os

import numpy as np
import pytest
from PIL import Image

from tasks.prediction import image_files


def _frame(path):
  Image.new('RGB', (5, 4)).save(path)


def test_images_of_other_modes_are_read_as_rgb(tmp_path):
  for mode in ('L', 'RGBA', 'P', 'CMYK'):
    path = tmp_path / f'{mode}.{"jpg" if mode == "CMYK" else "png"}'
    Image.new(mode, (5, 4)).save(path)
    image = image_files.read_image(str(path))
    assert image.shape == (4, 5, 3) and image.dtype == np.uint8


def test_gray_of_16_bits_keeps_its_shades(tmp_path):
  path = tmp_path / 'deep.png'
  shades = np.arange(0, 65536, 4096, np.uint16).reshape(4, 4)
  Image.fromarray(shades).save(path)
  image = image_files.read_image(str(path))
  np.testing.assert_array_equal(image[..., 0], shades >> 8)


def test_images_are_turned_upright(tmp_path):
  pixels = np.zeros([20, 30, 3], np.uint8)
  pixels[:, 15:] = 250
  exif = Image.Exif()
  exif[0x0112] = 6  # To be turned clockwise by a quarter.
  path = tmp_path / 'image.png'
  Image.fromarray(pixels).save(path, exif=exif)
  image = image_files.read_image(str(path))
  np.testing.assert_array_equal(image, np.rot90(pixels, -1))


def test_frames_are_ordered_by_number(tmp_path):
  frames = tmp_path
  for number in range(8, 12):
    _frame(frames / f'frame{number}.png')
  found = image_files.find_frames(str(frames))
  assert [path[-6:-4].lstrip('e') for path in found] == ['8', '9', '10', '11']
  # Every other frame of a clip is a clip, too.
  for number in (9, 11):
    (frames / f'frame{number}.png').unlink()
  assert len(image_files.find_frames(str(frames))) == 2


def test_names_without_numbers_are_ordered_as_text(tmp_path):
  for name in 'bca':
    _frame(tmp_path / f'{name}.png')
  found = image_files.find_frames(str(tmp_path))
  assert [path[-5] for path in found] == ['a', 'b', 'c']


def test_files_with_other_endings_are_told(tmp_path, capsys):
  for name in ('10.TIF', '9.tiff', 'b.heic', 'a.txt', '.DS_Store'):
    (tmp_path / name).write_bytes(b'')
  (tmp_path / 'folder.jpg').mkdir()
  found = image_files.find_images(str(tmp_path))
  assert [os.path.basename(path) for path in found] == ['9.tiff', '10.TIF']
  told = capsys.readouterr().err
  assert told.count('\n') == 1
  assert 'left out: 2, the first being a.txt; names of images end' in told


def test_tiff_is_read(tmp_path):
  _frame(tmp_path / 'x.tif')
  assert image_files.read_image(str(tmp_path / 'x.tif')).shape == (4, 5, 3)


def test_images_of_every_form_become_one_array(tmp_path, monkeypatch):
  pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
  path = tmp_path / 'image.png'
  Image.fromarray(pixels).save(path)
  monkeypatch.setenv('HOME', str(tmp_path))
  for form in (
    *(path, str(path), '~/image.png', f'file://{path}'),
    *(pixels, Image.fromarray(pixels), Image.open(path)),
  ):
    found = image_files.as_array(form, 'the image')
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, pixels)
  exif = Image.Exif()
  exif[0x0112] = 6
  Image.fromarray(pixels).save(path, exif=exif)
  turned = image_files.as_array(Image.open(path), 'the image')
  np.testing.assert_array_equal(turned, np.rot90(pixels, -1))
  gray = image_files.as_array(Image.new('L', (5, 4), 9), 'the image')
  np.testing.assert_array_equal(gray, np.full([4, 5, 3], 9))


@pytest.mark.parametrize(
  ('image', 'sentence'),
  [
    ('nowhere.png', "there is no image at 'nowhere.png'"),
    ('.', '. is a folder: give the paths of its images'),
    (None, 'image 7 is of the type NoneType: give a path, an image of'),
    ([[1, 2, 3]], 'image 7 is of the type list: give a path'),
    (b'abc', 'image 7 is of the type bytes: give a path'),
    (np.zeros([2, 3, 3], np.float32), r'float32 .* in \[0, 1\] become'),
    (np.zeros([2, 3, 3], np.int64), 'int64 .*: give uint8 in 0..255'),
    (np.zeros([2, 3, 3], bool), 'bool .*: give uint8 in 0..255'),
    (np.zeros([1, 2, 3, 3], np.uint8), 'or a list of such'),
    (np.zeros([3, 2, 9], np.uint8), r'\[3, 2, 9\]: give one of shape'),
    (np.zeros([0, 2, 3], np.uint8), r'\[0, 2, 3\]: give one of shape'),
    (
      np.broadcast_to(np.zeros(3, np.uint8), [10_001, 10_000, 3]),
      'image 7: it has 10001x10000 pixels',
    ),
  ],
)
def test_other_forms_are_refused(image, sentence):
  with pytest.raises((ValueError, OSError), match=sentence) as error:
    image_files.as_array(image, 'image 7')
  assert '\n' not in str(error.value)


def test_an_open_image_that_is_cut_short_is_named(tmp_path):
  path = tmp_path / 'image.jpg'
  pixels = np.random.default_rng(0).integers(0, 256, [99, 99, 3])
  Image.fromarray(pixels.astype(np.uint8)).save(path)
  path.write_bytes(path.read_bytes()[:3000])
  with Image.open(path) as image:
    with pytest.raises(ValueError, match='the image cannot be read: .*trunc'):
      image_files.as_array(image, 'the image')
