"""The files of video masks: round trips, official readings, bad files."""

import numpy as np
import pytest
import shared
from PIL import Image

from metrics import tubes, video_maps


def test_davis_round_trip(tmp_path):
  ids = np.arange(256).reshape(8, 32)
  path = tmp_path / 'made' / '00000.png'
  video_maps.write_davis(path, ids)
  read = video_maps.read_davis(path)
  assert read.dtype == np.uint8
  np.testing.assert_array_equal(read, ids)
  assert video_maps.davis_shape(path) == (8, 32)
  assert [p.name for p in path.parent.iterdir()] == ['00000.png']
  # What official tools do.
  with Image.open(path) as image:
    assert image.mode == 'P'
    np.testing.assert_array_equal(np.array(image), ids)
    assert image.getpalette() == video_maps.davis_palette().ravel().tolist()


def test_the_palette_on_paper():
  palette = video_maps.davis_palette().tolist()
  assert palette[:4] == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
  assert palette[8] == [64, 0, 0]
  assert palette[255] == [224, 224, 192]
  assert len(set(map(tuple, palette))) == 256


def test_real_davis_masks_are_written_as_they_are(tmp_path):
  path = shared.path('data', 'davis_osvos_predictions', 'camel', '00000.png')
  ids = video_maps.read_davis(path)
  assert ids.shape == (480, 854) and set(np.unique(ids)) == {0, 1}
  video_maps.write_davis(tmp_path / 'a.png', ids)
  with Image.open(path) as theirs, Image.open(tmp_path / 'a.png') as ours:
    np.testing.assert_array_equal(np.array(ours), np.array(theirs))
    assert ours.mode == theirs.mode
    assert ours.getpalette()[:30] == theirs.getpalette()[:30]


def test_kitti_step_round_trip(tmp_path):
  classes = np.array([[0, 18, 255], [11, 13, 13]], np.uint8)
  instances = np.array([[0, 0, 0], [65535, 256, 255]], np.uint16)
  path = tmp_path / '0000' / '000000.png'
  video_maps.write_kitti_step(path, classes, instances)
  labels = video_maps.read_kitti_step(path)
  divisor = tubes.KITTI_STEP.label_divisor
  np.testing.assert_array_equal(labels // divisor, classes)
  np.testing.assert_array_equal(labels % divisor, instances)
  assert video_maps.kitti_step_shape(path) == (2, 3)
  with Image.open(path) as image:
    rgb = np.asarray(image).astype(np.int64)
  np.testing.assert_array_equal(rgb[..., 0], classes)
  np.testing.assert_array_equal(256 * rgb[..., 1] + rgb[..., 2], instances)
  assert [p.name for p in path.parent.iterdir()] == ['000000.png']


def test_real_kitti_step_maps_are_written_as_they_are(tmp_path):
  folder = shared.path('data', 'kitti_step', 'panoptic_maps', 'train')
  path = sorted(folder.rglob('*.png'))[0]
  labels = video_maps.read_kitti_step(path)
  classes, instances = np.divmod(labels, tubes.KITTI_STEP.label_divisor)
  assert classes[instances > 0].min() >= 11  # Only things have instances.
  video_maps.write_kitti_step(tmp_path / 'a.png', classes, instances)
  with Image.open(path) as theirs, Image.open(tmp_path / 'a.png') as ours:
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


@pytest.mark.parametrize(
  'ids, sentence',
  [
    ([[0, 256]], 'ids run from 0 to 256, and a palette PNG holds 0 to 255'),
    ([[-1, 0]], 'ids run from -1 to 0'),
    ([[0.5]], 'the segment map is float64'),
    ([1], r'the segment map is int64 \[1\]'),
  ],
)
def test_ids_that_no_mask_holds_are_refused(tmp_path, ids, sentence):
  with pytest.raises(ValueError, match=f'a.png: {sentence}.*; '):
    video_maps.write_davis(tmp_path / 'a.png', np.array(ids))
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  'classes, instances, sentence',
  [
    ([[256]], [[0]], 'a.png: classes run from 256 to 256'),
    ([[-1]], [[0]], 'a.png: classes run from -1 to -1'),
    ([[13]], [[65536]], 'a.png: instance ids run from 0 to 65536'),
    ([[13]], [[-1]], 'a.png: instance ids run from -1 to 0'),
    ([[13]], [[0.5]], 'a.png, instances: the segment map is float64'),
    ([[13]], [[1, 2]], r'a.png: the classes are \[1, 1\] and the instances'),
  ],
)
def test_labels_that_no_map_holds_are_refused(
  tmp_path, classes, instances, sentence
):
  with pytest.raises(ValueError, match=f'{sentence}.*; '):
    video_maps.write_kitti_step(
      tmp_path / 'a.png', np.array(classes), np.array(instances)
    )
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', '1', 'I;16'])
def test_files_that_are_no_masks_are_refused(tmp_path, mode):
  Image.new(mode, (8, 6)).save(tmp_path / 'a.png')
  with pytest.raises(ValueError, match='a.png is a PNG of .*palette PNG'):
    video_maps.read_davis(tmp_path / 'a.png')


def test_gray_masks_are_read(tmp_path):
  Image.new('L', (8, 6), 7).save(tmp_path / 'a.png')
  np.testing.assert_array_equal(
    video_maps.read_davis(tmp_path / 'a.png'), np.full([6, 8], 7)
  )


def test_damaged_and_missing_files_are_refused(tmp_path):
  path = tmp_path / 'a.png'
  with pytest.raises(FileNotFoundError, match='a.png is missing'):
    video_maps.read_davis(path)
  rng = np.random.default_rng(0)
  video_maps.write_davis(path, rng.integers(0, 256, [90, 90]))
  path.write_bytes(path.read_bytes()[:2000])
  with pytest.raises(ValueError, match='a.png is a damaged PNG'):
    video_maps.read_davis(path)
