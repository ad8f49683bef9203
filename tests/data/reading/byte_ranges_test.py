"""Tests of reading and decoding, on files of our own."""

import io

import numpy as np
import pytest
import tensorflow as tf
import trees
from PIL import Image

from data.reading import byte_ranges, split_index


def _content(path, **kwargs):
  trees.save_image(path, **kwargs)
  return path.read_bytes()


def _jpeg(mode):
  random = np.random.default_rng(0)
  small = Image.fromarray(random.integers(0, 256, [8, 12, 3], np.uint8))
  file = io.BytesIO()
  small.resize((60, 40)).convert(mode).save(file, 'JPEG')
  return file.getvalue()


def _whole(content):
  size = byte_ranges.size_of(content)
  return byte_ranges.decode_window(
    content, tf.concat([[0, 0], size], 0)
  ).numpy()


@pytest.mark.parametrize('cache', [False, True])
def test_stretches_of_files_are_read_in_any_order(tmp_path, cache):
  parts = [bytes([i]) * (5 + 3 * i) for i in range(6)]
  for number in range(2):
    path = tmp_path / f'{number}'
    path.write_bytes(b''.join(parts[3 * number : 3 * number + 3]) + b'rest')
  lengths = np.array([len(part) for part in parts])
  starts = np.array([0, 5, 13, 0, 14, 31])
  content = split_index.ByteRanges(
    (str(tmp_path / '0'), str(tmp_path / '1')),
    np.array([0, 0, 0, 1, 1, 1], np.int32),
    starts,
    lengths,
  )
  reader = byte_ranges.Reader(content, cache)
  indices = [3, 0, 5, 5, 1]
  dataset = tf.data.Dataset.from_tensor_slices(np.array(indices, np.int64))
  read = [part.numpy() for part in dataset.map(reader.read)]
  assert read == [parts[i] for i in indices]
  assert [content.read(i) for i in indices] == read
  assert reader.name(tf.constant(4)) == f'{tmp_path / "1"} at 14'
  assert content.name(4) == f'{tmp_path / "1"} at 14'


@pytest.mark.parametrize('name', ['a.jpg', 'a.png'])
@pytest.mark.parametrize(
  'window', [(0, 0, 24, 40), (3, 5, 11, 17), (16, 8, 8, 32), (23, 39, 1, 1)]
)
def test_a_window_is_cut_from_the_whole(tmp_path, name, window):
  content = _content(tmp_path / name)
  part = byte_ranges.decode_window(content, tf.constant(window)).numpy()
  y, x, height, width = window
  expected = tf.io.decode_image(content).numpy()
  expected = expected[y : y + height, x : x + width]
  assert part.shape == expected.shape
  # At a cut border the chroma of a JPEG lacks a neighbour.
  inner = (slice(2, -2),) * 2 if min(window[2:]) > 4 else (slice(0),)
  np.testing.assert_array_equal(part[inner], expected[inner])


@pytest.mark.parametrize('mode', ['L', 'CMYK', 'RGB'])
def test_grey_and_cmyk_images_become_rgb(mode):
  content = _jpeg(mode)
  with Image.open(io.BytesIO(content)) as image:
    assert image.mode == mode
    expected = np.asarray(image.convert('RGB')).astype(int)
  assert byte_ranges.size_of(content).numpy().tolist() == [40, 60]
  assert abs(_whole(content) - expected).max() <= 4
  if mode == 'L':
    assert np.ptp(_whole(content), axis=-1).max() == 0


def test_size_and_depth_by_the_header(tmp_path):
  for depth, dtype in ((8, np.uint8), (16, np.uint16)):
    pixels = np.arange(300 * 517).reshape(300, 517).astype(dtype)
    trees.png(tmp_path / 'a.png', pixels)
    content = (tmp_path / 'a.png').read_bytes()
    assert byte_ranges.size_of(content).numpy().tolist() == [300, 517]
    assert byte_ranges.png_depth(content) == depth
    assert byte_ranges.is_whole(content)


@pytest.mark.parametrize('name', ['a.jpg', 'a.png'])
def test_what_is_cut_short_is_not_whole(tmp_path, name):
  content = _content(tmp_path / name)
  assert byte_ranges.is_whole(content)
  assert byte_ranges.is_whole(content + b'\0' * 9)  # Some programs add to it.
  for length in (0, 1, 8, 30, len(content) // 2, len(content) - 9):
    assert not byte_ranges.is_whole(content[:length])
  assert not byte_ranges.is_whole(b'<html>' + content)


@pytest.mark.parametrize('bits', [1, 2, 4, 8])
def test_values_of_a_palette_are_not_its_colours(bits):
  random = np.random.default_rng(bits)
  ids = random.integers(0, 2**bits, [20, 37]).astype(np.uint8)
  image = Image.fromarray(ids).convert('P')
  image.putpalette(random.integers(0, 256, 3 * 2**bits, np.uint8).tobytes())
  file = io.BytesIO()
  image.save(file, 'PNG', bits=bits)
  assert (file.getvalue()[24], file.getvalue()[25]) == (bits, 3)
  values = byte_ranges.decode_values(tf.constant(file.getvalue()))
  np.testing.assert_array_equal(values[..., 0], ids)


@pytest.mark.parametrize('mode', ['L', '1'])
def test_values_of_a_gray_png(mode):
  ids = np.arange(12, dtype=np.uint8).reshape(3, 4)
  image = Image.fromarray(ids if mode == 'L' else ids % 2 == 1)
  file = io.BytesIO()
  image.save(file, 'PNG')
  values = byte_ranges.decode_values(tf.constant(file.getvalue()))
  with Image.open(io.BytesIO(file.getvalue())) as read:
    np.testing.assert_array_equal(values[..., 0], np.asarray(read))
