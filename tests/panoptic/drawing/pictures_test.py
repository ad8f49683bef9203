"""Tests of the pictures that notebooks show."""

import io

import numpy as np
from PIL import Image

from panoptic.drawing import draw, pictures, sheets


def test_a_notebook_shows_a_picture():
  random = np.random.default_rng(0)
  pixels = random.integers(0, 256, [20, 30, 3], dtype=np.uint8)
  picture = pictures.Picture(pixels)
  assert repr(picture) == 'Picture of 20x30 pixels'
  with Image.open(io.BytesIO(picture._repr_png_())) as image:
    np.testing.assert_array_equal(np.asarray(image), pixels)


def test_small_images_are_enlarged_under_titles():
  small, large = np.zeros([10, 10, 3], np.uint8), np.ones([90, 90, 3], np.uint8)
  titles, entries = ('small', 'large'), [sheets.Entry('a remark')]
  shown = pictures.row([small, large], titles, entries, min_side=80)
  enlarged = [draw.enlarge(small, 8), large]
  np.testing.assert_array_equal(
    shown.pixels, sheets.sheet([enlarged], titles, entries)
  )
  both = pictures.sheet([[small, small], [large]], titles, min_side=80)
  assert both.pixels.shape[0] > 2 * 90


def test_an_animation_has_all_frames_and_no_end():
  frames = [np.full([8, 9, 3], value, np.uint8) for value in (0, 100, 200)]
  content = pictures.animation(frames, milliseconds=120)
  with Image.open(io.BytesIO(content)) as image:
    assert image.format == 'GIF' and image.n_frames == 3
    assert image.info['loop'] == 0 and image.info['duration'] == 120
    for number, frame in enumerate(frames):
      image.seek(number)
      found = np.asarray(image.convert('RGB'))
      np.testing.assert_allclose(found, frame, atol=2)
