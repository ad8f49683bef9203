"""Masks of one channel: the same ids on the host and in the graph."""

import io
import json
import zlib

import numpy as np
import pytest
import tensorflow as tf
import trees
from PIL import Image

from data import check
from panoptic import png

_IDS = np.array([[0, 1, 1, 3], [3, 3, 2, 0]])
_BYTES = _IDS.astype(np.uint8)


def _content(image, **kwargs):
  file = io.BytesIO()
  image.save(file, 'PNG', **kwargs)
  return file.getvalue()


def _palette(colors, bits=8):
  image = Image.fromarray(_BYTES).convert('P')
  colors = np.array(colors, np.uint8)
  colors = np.resize(colors, [2**bits, 3])
  image.putpalette(colors.tobytes())
  return _content(image, bits=bits)


def _gray(bits):
  """A gray PNG of few bits, which Pillow does not write."""
  content = _palette([[0, 0, 0]], bits)
  start = content.index(b'PLTE') - 4
  end = start + 12 + int.from_bytes(content[start : start + 4])
  header = content[12:25] + b'\0' + content[26:29]
  checksum = zlib.crc32(header).to_bytes(4)
  return content[:12] + header + checksum + content[33:start] + content[end:]


def _with_alpha(values, dtype=np.uint8):
  return np.stack([values, np.full_like(values, 9)], axis=-1).astype(dtype)


_COLORS = [[0, 0, 0], [5, 1, 0], [6, 1, 0], [7, 7, 7]]  # 261, 262, 460551.
_OF_COLORS = np.array([0, 261, 262, 460551])[_IDS]
# Files, and the ids that they should have.
_MASKS = {
  'gray': (_content(Image.fromarray(_BYTES)), _IDS),
  'gray of 2 bits': (_gray(2), _IDS),
  'gray of 4 bits': (_gray(4), _IDS),
  'gray of 16 bits': (
    _content(Image.fromarray((_IDS * 300).astype(np.uint16))),
    _IDS * 300,
  ),
  'gray of 1 bit': (_content(Image.fromarray(_IDS > 1)), (_IDS > 1) * 1),
  'gray with alpha': (_content(Image.fromarray(_with_alpha(_IDS))), _IDS),
  'palette': (_palette(np.arange(768).reshape(256, 3)), _IDS),
  'palette of 2 bits': (_palette(_COLORS, bits=2), _IDS),
  'colours as gray': (_content(Image.fromarray(_BYTES)), _IDS * 65793),
  'right colours in a palette': (_palette(_COLORS, bits=2), _OF_COLORS),
  'right colours, 8 bits': (_palette(_COLORS), _OF_COLORS),
}


def _write(root, content, ids):
  """A set of one image, with segments of these ids."""
  labels = root / 'annotations/panoptic_val2017/1.png'
  labels.parent.mkdir(parents=True)
  labels.write_bytes(content)
  trees.save_image(root / 'val2017/1.png', (2, 4))
  values, areas = np.unique(ids[ids > 0], return_counts=True)
  segments = [
    {'id': i, 'category_id': trees.PERSON, 'iscrowd': 0, 'area': area}
    for i, area in zip(values.tolist(), areas.tolist(), strict=True)
  ]
  entry = {'id': 1, 'file_name': '1.png', 'height': 2, 'width': 4}
  described = {
    'images': [entry],
    'annotations': [
      {'image_id': 1, 'file_name': '1.png', 'segments_info': segments}
    ],
    'categories': trees.COCO_CATEGORIES,
  }
  path = root / 'annotations/panoptic_val2017.json'
  path.write_text(json.dumps(described))


@pytest.mark.parametrize('name', _MASKS)
def test_values_or_colours_are_the_ids(tmp_path, name):
  content, ids = _MASKS[name]
  _write(tmp_path, content, ids)
  check.check('panoptic_folder', str(tmp_path))
  dataset = trees.opened(tmp_path)
  truth = dataset.ground_truth(1)
  assert truth.segment_ids.dtype == np.int32
  np.testing.assert_array_equal(truth.segment_ids, ids)
  number = dataset.example(tf.constant(0, tf.int64))['label_map'][..., 1]
  for segment in np.unique(ids):
    (of_segment,) = np.unique(number[ids == segment])
    assert (of_segment == 0) == (segment == 0)
    assert ((number == of_segment) == (ids == segment)).numpy().all()


@pytest.mark.parametrize(
  'name, said',
  [
    ('gray', 'the gray value 1 is no'),
    ('gray of 16 bits', 'the gray value 300 is no'),
    ('palette of 2 bits', 'the palette index 1 is no'),
  ],
)
def test_what_is_neither_is_refused(tmp_path, name, said):
  content, ids = _MASKS[name]
  _write(tmp_path, content, ids + 40 * (ids > 0))
  start = '1.png: the mask has one channel where three are expected'
  mend = 'save it as 8-bit RGB, or write the ids as its values'
  sentence = f'{start} .*{said} segment id of the annotation: {mend}'
  with pytest.raises(ValueError, match=sentence):
    check.check('panoptic_folder', str(tmp_path))
  dataset = trees.opened(tmp_path)
  with pytest.raises(ValueError, match=sentence):
    dataset.ground_truth(1)
  with pytest.raises(
    tf.errors.InvalidArgumentError, match=f'{start}.*not the segment.*{mend}'
  ):
    dataset.example(tf.constant(0, tf.int64))


@pytest.mark.parametrize('color_type', [2, 4, 6])
def test_other_masks_of_16_bits_are_refused(tmp_path, color_type):
  content = bytearray(_content(Image.fromarray(_with_alpha(_IDS))))
  content[24:26] = bytes([16, color_type])
  content[29:33] = zlib.crc32(content[12:29]).to_bytes(4)
  _write(tmp_path, content, _IDS)
  with pytest.raises(ValueError, match='1.png: .*bit depth.* 8 bits'):
    check.check('panoptic_folder', str(tmp_path))
  with pytest.raises(tf.errors.InvalidArgumentError, match='1.png: .*bit dep'):
    trees.opened(tmp_path).example(tf.constant(0, tf.int64))


@pytest.mark.parametrize('bits', [2, 4])
def test_gray_of_few_bits_has_davis_ids(bits):
  ids = png.decode_ids(_gray(bits), png.DAVIS)
  np.testing.assert_array_equal(ids, _IDS)
