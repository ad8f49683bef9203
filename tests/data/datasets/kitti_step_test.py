"""Tests of KITTI-STEP's label files and results."""

import shutil

import numpy as np
import pytest
import shared
import trees
from PIL import Image

from data import folder, prepare, registry
from data.datasets import kitti_step
from data.tfds import records
from panoptic import classes as classes_lib
from panoptic import maps, png


def _write(folder, prediction, classes):
  writer = registry.get('kitti_step').result_writer(str(folder), classes)
  with writer:
    writer.add(1, '0001/000000.png', prediction)
  return folder / '0001/000000.png'


def test_results_have_train_ids_and_segment_ids():
  """Of another table than KITTI-STEP's: positions and ids differ."""
  classes = classes_lib.ClassTable(
    [
      classes_lib.Category(9, 'car', True),
      classes_lib.Category(4, 'road', False),
      classes_lib.Category(7, 'person', True),
    ]
  )
  ids = np.array([[0, 300, 300], [5, 5, 70]])
  segments = [maps.Segment(300, 7), maps.Segment(5, 4), maps.Segment(70, 9)]
  encoded = kitti_step.encoded_ids(maps.PanopticMap(ids, segments), classes)
  # 300 = 256 * 1 + 44.
  person, road = 1 + 2 + 256 * 1 + 65536 * 44, 1 + 1
  car, void = 1 + 0 + 65536 * 70, 1 + 255
  np.testing.assert_array_equal(
    encoded, [[void, person, person], [road, road, car]]
  )


def test_files_of_results_have_the_class_in_red(tmp_path):
  table = kitti_step.class_table()
  person, sky = table.categories[11], table.categories[10]
  ids = np.array([[0, 700], [3, 3]])
  segments = [maps.Segment(700, person.id), maps.Segment(3, sky.id)]
  path = _write(tmp_path, maps.PanopticMap(ids, segments), table)
  with Image.open(path) as image:
    pixels = np.array(image).tolist()
  assert pixels == [[[255, 0, 0], [11, 2, 188]], [[10, 0, 0], [10, 0, 0]]]


def test_the_order_of_a_run_does_not_change_train_ids(tmp_path):
  table = kitti_step.class_table()
  ids = np.array([[0, 700], [3, 3]])
  segments = [maps.Segment(700, 12), maps.Segment(3, 11)]
  prediction = maps.PanopticMap(ids, segments)
  expected = _write(tmp_path / 'a', prediction, table).read_bytes()
  reverse = classes_lib.ClassTable(table.categories[::-1])
  assert _write(tmp_path / 'b', prediction, reverse).read_bytes() == expected


@pytest.mark.parametrize(
  ('count', 'segment_id', 'message'),
  [(300, 5, 'classes run from 255 to 299'), (3, 70000, 'ids run from 0 to 7')],
)
def test_what_does_not_fit_is_refused(tmp_path, count, segment_id, message):
  classes = classes_lib.ClassTable(
    [classes_lib.Category(i + 1, f'{i}', True) for i in range(count)]
  )
  ids = np.array([[0, segment_id]])
  prediction = maps.PanopticMap(ids, [maps.Segment(segment_id, count)])
  with pytest.raises(ValueError, match=message):
    _write(tmp_path, prediction, classes)
  assert not list(tmp_path.rglob('*.png'))


def test_real_classes_come_back_from_results(tmp_path):
  root = shared.path('data', 'kitti_step')
  content = folder.open_split(kitti_step.SPEC, str(root), 'train')
  labels = content.labels.read(0)
  prediction = maps.from_label_ids(
    png.decode_ids(labels, png.KITTI_STEP), kitti_step.find_segments
  )
  # The files' own ids are larger than an instance may be.
  number = {s.id: i for i, s in enumerate(prediction.segments, start=1)}
  ids = np.vectorize(lambda i: number.get(i, 0))(prediction.segment_ids)
  segments = [s._replace(id=number[s.id]) for s in prediction.segments]
  path = _write(tmp_path, maps.PanopticMap(ids, segments), content.classes)
  with Image.open(path) as image, Image.open(content.labels.paths[0]) as truth:
    written, true = np.array(image), np.array(truth)
  np.testing.assert_array_equal(written[..., 0], true[..., 0])
  things = np.isin(true[..., 0], (11, 13))
  assert not written[~things, 1:].any()
  np.testing.assert_array_equal(written[things, 2], ids[things])


def test_frames_may_start_anywhere_but_have_no_gaps(tmp_path):
  trees.kitti_step(tmp_path)
  for part in ('images', 'panoptic_maps'):
    (tmp_path / part / 'train/0000/000000.png').unlink()
  listed = kitti_step.list_split(str(tmp_path), 'train').samples
  first = [s for s in listed if s.sequence == '0000']
  assert [s.name for s in first] == [f'0000/00000{i}.png' for i in (1, 2, 3)]
  assert [s.frame for s in first] == [0, 1, 2]
  assert [s.image_id for s in listed] == list(range(1, 7))


def test_sequences_and_frames_are_ordered_by_number(tmp_path):
  """In the folder, and in its records."""
  root = tmp_path / 'official'
  trees.kitti_step(root, lengths=(11, 2))
  for part in ('images', 'panoptic_maps'):
    split = root / part / 'train'
    for path in split.glob('*/*.png'):
      path.rename(path.with_name(f'{int(path.stem)}.png'))
    (split / '0000').rename(split / '10')
    (split / '0001').rename(split / '9')
  prepare.prepare('kitti_step', str(root), str(tmp_path))
  names = [*(f'9/{t}.png' for t in (0, 1)), *(f'10/{t}.png' for t in range(11))]
  for content in (
    folder.open_split(kitti_step.SPEC, str(root), 'train'),
    records.open_split(kitti_step.SPEC, str(tmp_path), 'train'),
  ):
    assert content.sequences == ('9', '10')
    assert list(content.names) == names
    assert content.sequence.tolist() == [0] * 2 + [1] * 11


@pytest.mark.parametrize('name', ['1.png', '²1.png'])
def test_frames_of_one_number_are_refused(tmp_path, name):
  trees.kitti_step(tmp_path)
  frames = tmp_path / 'images/train/0000'
  shutil.copy(frames / '000001.png', frames / name)
  if name == '1.png':
    with pytest.raises(ValueError, match='000001 and 1, have one number: ren'):
      kitti_step.list_split(str(tmp_path), 'train')
  else:  # Not a number that int() reads.
    assert len(kitti_step.list_split(str(tmp_path), 'train').samples) == 7
