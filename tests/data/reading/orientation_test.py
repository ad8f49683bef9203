"""EXIF's orientation: the same on the host and in the graph, as Pillow's."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
import trees
from PIL import Image, ImageOps

from data import check
from data.reading import byte_ranges, orientation
from panoptic import images

_PIXELS = np.random.default_rng(0).integers(0, 256, [5, 8, 3], np.uint8)


def _exif(order, turn, before=1):
  """EXIF of one byte order, with other entries before the orientation."""
  entries = [(0x0100 + i, 4, 1, 7, 0) for i in range(before)]
  entries.append((images.ORIENTATION, 3, 1, turn, 0))
  content = struct.pack(f'{order}HIH', 42, 8, len(entries))
  for entry in entries:
    content += struct.pack(f'{order}HHIHH', *entry)
  return (b'II' if order == '<' else b'MM') + content + bytes(4)


def _segment(marker, content):
  return b'\xff' + marker + struct.pack('>H', len(content) + 2) + content


def _jpeg(exif, place):
  """A JPEG with EXIF in one of several places."""
  image = Image.fromarray(_PIXELS).resize((32, 20))
  file = io.BytesIO()
  image.save(file, 'JPEG', quality=95, subsampling=0)
  content = file.getvalue()
  app1 = _segment(b'\xe1', b'Exif\0\0' + exif)
  xmp = _segment(b'\xe1', b'http://ns.adobe.com/xap/1.0/\0Exif\0\0')
  before = {
    'first': b'',
    'after JFIF': content[2:20],
    'after XMP': content[2:20] + xmp,
    'after a long segment': content[2:20] + _segment(b'\xe2', bytes(65533)),
    'after fill': content[2:20] + b'\xff\xff',
  }
  if place == 'after the tables':
    start = content.index(b'\xff\xc0')
    return content[:start] + app1 + content[start:]
  return content[:2] + before[place] + app1 + content[20:]


def _png(exif, place):
  file = io.BytesIO()
  Image.fromarray(_PIXELS).save(file, 'PNG')
  content = file.getvalue()
  chunk = b'eXIf' + exif
  chunk = struct.pack('>I', len(exif)) + chunk + zlib.crc32(chunk).to_bytes(4)
  at = 33 if place == 'first' else len(content) - 12
  return content[:at] + chunk + content[at:]


_FILES = {
  **{
    f'JPEG, {place}': (_jpeg, place)
    for place in (
      'first',
      'after JFIF',
      'after XMP',
      'after a long segment',
      'after fill',
      'after the tables',
    )
  },
  'PNG, first': (_png, 'first'),
  'PNG, last': (_png, 'last'),
}


def _turned(image, turn):
  file = io.BytesIO()
  _save(file, image, turn, 'PNG')
  with Image.open(file) as saved:
    return ImageOps.exif_transpose(saved)


def _save(file, image, turn, kind='JPEG'):
  exif = Image.Exif()
  exif[images.ORIENTATION] = turn
  image.save(file, kind, quality=95, exif=exif)


def _by_pillow(content, turn):
  """Pillow's own turn of its own pixels, and of TensorFlow's."""
  with Image.open(io.BytesIO(content)) as image:
    own = np.asarray(ImageOps.exif_transpose(image).convert('RGB'))
  stored = Image.fromarray(tf.io.decode_image(content).numpy())
  return own, np.asarray(_turned(stored, turn))


@pytest.mark.parametrize('order', '<>')
@pytest.mark.parametrize('name', _FILES)
def test_images_are_read_as_they_are_shown(name, order):
  make, place = _FILES[name]
  for turn in range(1, 9):
    content = make(_exif(order, turn), place)
    with images.open_image(content) as image:
      assert images.orientation(image) == turn
      size = images.upright_size(image, turn)
      upright = np.asarray(images.upright(image).convert('RGB'))
    assert orientation.orientation(content) == turn
    assert tuple(byte_ranges.size_of(content).numpy()) == size
    by_pillow, expected = _by_pillow(content, turn)
    assert expected.shape[:2] == size
    np.testing.assert_array_equal(upright, by_pillow)
    for y, x, height, width in ((0, 0, *size), (1, 2, size[0] - 2, 3)):
      window = tf.constant([y, x, height, width])
      part = byte_ranges.decode_window(content, window).numpy()
      np.testing.assert_array_equal(
        part, expected[y : y + height, x : x + width]
      )


@pytest.mark.parametrize(
  'exif',
  [
    b'',
    b'II*\0',
    b'XX*\0' + bytes(20),
    _exif('<', 0),
    _exif('>', 9),
    _exif('<', 6)[:12],
    _exif('<', 6, before=3)[:30],
    b'MM\0*' + b'\xff' * 20,
    b'II*\0' + b'\xff' * 20,
    _exif('>', 6).replace(b'\1\x12\0\3', b'\1\x12\0\4'),  # Another type.
  ],
)
def test_broken_exif_turns_nothing(exif):
  for content in (_jpeg(exif, 'after JFIF'), _png(exif, 'first')):
    assert orientation.orientation(content) == 1
    with images.open_image(content) as image:
      assert images.orientation(image) == 1


def test_exif_of_another_image_in_the_file_does_not_count():
  content = _jpeg(b'', 'first')
  content += _jpeg(_exif('<', 6), 'first')
  assert orientation.orientation(content) == 1
  assert orientation.orientation(content[:40]) == 1  # Cut short.


def test_masks_lie_on_the_upright_image(tmp_path):
  """Training examples of a photo with each orientation."""
  trees.coco(tmp_path)
  image = tmp_path / 'val2017/000000000010.jpg'
  labels = tmp_path / 'annotations/panoptic_val2017/000000000010.png'
  with Image.open(labels) as file:
    mask = np.asarray(file)
  inside = (mask == [8, 0, 0]).all(-1)
  shown = Image.fromarray(np.where(inside, 250, 20).astype(np.uint8))
  for turn, undo in {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}.items():
    _save(image, _turned(shown, undo), turn)
    example = trees.opened(tmp_path).example(tf.constant(0, tf.int64))
    number = example['label_map'][..., 1].numpy()
    (of_segment,) = np.unique(number[inside])
    np.testing.assert_array_equal(
      example['image'].numpy()[..., 0] > 128, number == of_segment
    )


@pytest.mark.parametrize('what', ['annotation', 'mask'])
def test_what_fits_the_unturned_photo_alone_is_refused(tmp_path, what):
  trees.coco(tmp_path)
  name = 'val2017/000000000010.jpg'
  labels = 'annotations/panoptic_val2017/000000000010.png'
  if what == 'annotation':  # And the mask.
    with Image.open(tmp_path / name) as image:
      image.load()
    _save(tmp_path / name, image, 6)
    sentence = (
      f'{name} has the EXIF tag "Orientation" 6 and is shown as 40x24 pixels, '
      'but its annotation has 24x40.*: write the size .* upright'
    )
    in_graph = f'{name}: its EXIF tag "Orientation" is 6, and the annotation'
  else:
    with Image.open(tmp_path / name) as image:
      _save(tmp_path / name, image.transpose(Image.Transpose.ROTATE_90), 6)
    with Image.open(tmp_path / labels) as mask:
      turned = mask.transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / labels)
    sentence = 'Orientation" 6 and is shown as 24x40 .* its mask has 40x24'
    in_graph = f'{labels}: the size differs .* quarter turn; .*"Orientation"'
  with pytest.raises(ValueError, match=sentence) as error:
    check.check('panoptic_folder', str(tmp_path))
  assert '\n' not in str(error.value)
  dataset = trees.opened(tmp_path)
  with pytest.raises(tf.errors.InvalidArgumentError, match=in_graph):
    dataset.example(tf.constant(0, tf.int64))
  if what == 'mask':
    with pytest.raises(ValueError, match=in_graph):
      dataset.ground_truth(10)
