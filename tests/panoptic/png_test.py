"""Label PNGs: round trips, official readings, bad files."""

import numpy as np
import pytest
import shared
from PIL import Image

from panoptic import png


def test_davis_round_trip(tmp_path):
  ids = np.arange(256).reshape(8, 32)
  path = tmp_path / 'made' / '00000.png'
  png.write_ids(path, ids, png.DAVIS)
  read = png.read_ids(path, png.DAVIS)
  assert read.dtype == np.uint8
  np.testing.assert_array_equal(read, ids)
  assert png.size_of(path, png.DAVIS) == (8, 32)
  assert [p.name for p in path.parent.iterdir()] == ['00000.png']
  # What official tools do.
  with Image.open(path) as image:
    assert image.mode == 'P'
    np.testing.assert_array_equal(np.array(image), ids)
    assert image.getpalette() == list(png.DAVIS.colors)


def test_the_palette_on_paper():
  palette = np.frombuffer(png.DAVIS.colors, np.uint8).reshape(-1, 3).tolist()
  assert palette[:4] == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
  assert palette[8] == [64, 0, 0]
  assert palette[255] == [224, 224, 192]
  assert len(set(map(tuple, palette))) == 256


def test_real_davis_masks_are_written_as_they_are(tmp_path):
  path = shared.path('data', 'davis_osvos_predictions', 'camel', '00000.png')
  ids = png.read_ids(path, png.DAVIS)
  assert ids.shape == (480, 854) and set(np.unique(ids)) == {0, 1}
  png.write_ids(tmp_path / 'a.png', ids, png.DAVIS)
  with Image.open(path) as theirs, Image.open(tmp_path / 'a.png') as ours:
    np.testing.assert_array_equal(np.array(ours), np.array(theirs))
    assert ours.mode == theirs.mode
    assert ours.getpalette()[:30] == theirs.getpalette()[:30]


def test_kitti_step_round_trip(tmp_path):
  classes = np.array([[0, 18, 255], [11, 13, 13]], np.uint8)
  instances = np.array([[0, 0, 0], [65535, 256, 255]], np.uint16)
  path = tmp_path / '0000' / '000000.png'
  ids = png.kitti_step_ids(classes, instances, 'a')
  png.write_ids(path, ids, png.KITTI_STEP)
  read = png.read_ids(path, png.KITTI_STEP)
  assert read.dtype == ids.dtype == np.int32 and read.min() == 1
  np.testing.assert_array_equal(read, ids)
  assert png.size_of(path, png.KITTI_STEP) == (2, 3)
  with Image.open(path) as image:
    rgb = np.asarray(image).astype(np.int64)
  np.testing.assert_array_equal(rgb[..., 0], classes)
  np.testing.assert_array_equal(256 * rgb[..., 1] + rgb[..., 2], instances)
  assert [p.name for p in path.parent.iterdir()] == ['000000.png']


def test_real_kitti_step_maps_are_written_as_they_are(tmp_path):
  folder = shared.path('data', 'kitti_step', 'panoptic_maps', 'train')
  path = sorted(folder.rglob('*.png'))[0]
  with Image.open(path) as image:
    rgb = np.asarray(image).astype(np.int64)
  classes, instances = rgb[..., 0], 256 * rgb[..., 1] + rgb[..., 2]
  assert classes[instances > 0].min() >= 11  # Only things have instances.
  ids = png.kitti_step_ids(classes, instances, 'a')
  np.testing.assert_array_equal(png.read_ids(path, png.KITTI_STEP), ids)
  png.write_ids(tmp_path / 'a.png', ids, png.KITTI_STEP)
  with Image.open(path) as theirs, Image.open(tmp_path / 'a.png') as ours:
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


@pytest.mark.parametrize(
  'ids, sentence',
  [
    ([[0, 256]], 'segment ids run from 0 to 256, and a PNG .* holds 0 to 255'),
    ([[-1, 0]], 'segment ids run from -1 to 0'),
    ([[0.5]], 'the segment map is float64'),
    ([1], r'the segment map is int64 \[1\]'),
  ],
)
def test_ids_that_no_mask_holds_are_refused(tmp_path, ids, sentence):
  with pytest.raises(ValueError, match=f'a.png: {sentence}.*; '):
    png.write_ids(tmp_path / 'a.png', np.array(ids), png.DAVIS)
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  'classes, instances, sentence',
  [
    ([[256]], [[0]], 'a.png: classes run from 256 to 256'),
    ([[-1]], [[0]], 'a.png: classes run from -1 to -1'),
    ([[13]], [[65536]], 'a.png: instance ids run from 65536 to 65536'),
    ([[13]], [[-1]], 'a.png: instance ids run from -1 to -1'),
    ([[13]], [[0.5]], 'a.png, instance ids: the segment map is float64'),
    ([[13]], [[1, 2]], r'a.png: the classes are \[1, 1\] and the instances'),
  ],
)
def test_labels_that_no_map_holds_are_refused(classes, instances, sentence):
  with pytest.raises(ValueError, match=f'{sentence}.*; '):
    png.kitti_step_ids(np.array(classes), np.array(instances), 'a.png')


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', '1', 'I;16'])
def test_files_that_are_no_masks_are_refused(tmp_path, mode):
  Image.new(mode, (8, 6)).save(tmp_path / 'a.png')
  with pytest.raises(ValueError, match='a.png is a PNG of .*palette PNG'):
    png.read_ids(tmp_path / 'a.png', png.DAVIS)


def test_gray_masks_are_read(tmp_path):
  Image.new('L', (8, 6), 7).save(tmp_path / 'a.png')
  np.testing.assert_array_equal(
    png.read_ids(tmp_path / 'a.png', png.DAVIS), np.full([6, 8], 7)
  )


def test_damaged_and_missing_files_are_refused(tmp_path):
  path = tmp_path / 'a.png'
  with pytest.raises(FileNotFoundError, match='a.png is missing'):
    png.read_ids(path, png.DAVIS)
  rng = np.random.default_rng(0)
  png.write_ids(path, rng.integers(0, 256, [90, 90]), png.DAVIS)
  path.write_bytes(path.read_bytes()[:2000])
  with pytest.raises(ValueError, match='a.png is a damaged PNG'):
    png.read_ids(path, png.DAVIS)


def test_png_round_trip_of_extreme_ids(tmp_path):
  ids = np.array([[0, 255, 256], [65535, 65536, 2**24 - 1]])
  path = tmp_path / 'a.png'
  png.write_ids(path, ids, png.COCO)
  read = png.read_ids(path, png.COCO)
  assert read.dtype == np.int32
  np.testing.assert_array_equal(read, ids)
  assert png.size_of(path, png.COCO) == (2, 3)
  assert [p.name for p in tmp_path.iterdir()] == ['a.png']
  with Image.open(path) as image:
    rgb = np.asarray(image).astype(np.int64)
  np.testing.assert_array_equal(rgb @ [1, 256, 65536], ids)


def test_what_is_no_png_is_refused(tmp_path):
  path = tmp_path / 'a.png'
  Image.new('RGB', (8, 6)).save(path, format='JPEG')
  with pytest.raises(ValueError, match='a.png is not a PNG'):
    png.read_ids(path, png.COCO)
  path.write_bytes(b'')
  with pytest.raises(ValueError, match='a.png is not a PNG'):
    png.read_ids(path, png.COCO)


@pytest.mark.parametrize('kept', [30, 60, 0.5])
def test_a_damaged_png_is_refused(tmp_path, kept):
  path = tmp_path / 'a.png'
  rng = np.random.default_rng(0)
  png.write_ids(path, rng.integers(0, 2**24, [90, 90]), png.COCO)
  content = path.read_bytes()
  size = kept if kept > 1 else int(kept * len(content))
  path.write_bytes(content[:size])
  with pytest.raises(ValueError, match='a.png is a damaged PNG'):
    png.read_ids(path, png.COCO)


@pytest.mark.parametrize('ids', [[[-1]], [[2**24]]])
def test_ids_that_no_png_holds_are_refused(tmp_path, ids):
  with pytest.raises(ValueError, match='a PNG .* holds 0 to 16777215'):
    png.write_ids(tmp_path / 'a.png', np.array(ids), png.COCO)
  assert not list(tmp_path.iterdir())
