"""Tests of packing official trees into TFDS records."""

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import trees

from configs import base
from data import prepare, registry
from data.datasets import cityscapes, coco_categories
from data.reading import samples
from data.tfds import builders, records


def _open(name, data_dir, split):
  config = base.Data(name=name, source='tfds', dir=str(data_dir))
  return registry.create(config, split)


def test_prepared_twice_is_prepared_once(tmp_path, capsys):
  trees.cityscapes(tmp_path / 'official')
  arguments = 'cityscapes', str(tmp_path / 'official'), str(tmp_path / 'data')
  folder = prepare.prepare(*arguments)
  assert 'train: 2 images, 12 segments, 2 of them' in capsys.readouterr().out
  written = {p: p.stat().st_mtime_ns for p in pathlib.Path(folder).iterdir()}
  assert prepare.prepare(*arguments) == folder
  assert 'prepared already' in capsys.readouterr().out
  now = {p: p.stat().st_mtime_ns for p in pathlib.Path(folder).iterdir()}
  assert now == written


def test_a_stopped_check_goes_on(tmp_path, capsys, monkeypatch):
  trees.cityscapes(tmp_path / 'official')
  arguments = 'cityscapes', str(tmp_path / 'official'), str(tmp_path / 'data')
  labels = tmp_path / 'official/gtFine/val/bochum'
  path = labels / 'bochum_000000_000011_gtFine_instanceIds.png'
  good = path.read_bytes()
  path.write_bytes(good[: len(good) // 2])
  with pytest.raises(ValueError, match=f'{path.name}: .*broken'):
    prepare.prepare(*arguments)
  assert not records.find(cityscapes.SPEC, str(tmp_path / 'data'))
  path.write_bytes(good)
  checked = []
  find = cityscapes.find_segments
  counting = dataclasses.replace(
    cityscapes.SPEC,
    find_segments=lambda *args: checked.append(args) or find(*args),
  )
  monkeypatch.setattr(cityscapes, 'SPEC', counting)
  prepare.prepare(*arguments)
  assert '3 of 4 were checked before' in capsys.readouterr().out
  assert len(checked) == 1


def test_skip_bad_leaves_out_and_lists(tmp_path, capsys):
  trees.cityscapes(tmp_path / 'official')
  path = (
    tmp_path / 'official/leftImg8bit/train/aachen'
    '/aachen_000000_000010_leftImg8bit.png'
  )
  path.write_bytes(path.read_bytes()[:99])
  prepare.prepare(
    'cityscapes', str(tmp_path / 'official'), str(tmp_path / 'data'), True
  )
  told = capsys.readouterr().err
  assert 'left out 1 bad images' in told and path.name in told
  dataset = _open('cityscapes', tmp_path / 'data', 'train')
  assert dataset.num_examples == 1
  assert dataset.file_name(dataset.image_ids[0]).startswith('bochum')


def _coco_categories():
  return [
    {'id': c.id, 'name': c.name, 'isthing': int(c.isthing)}
    for c in coco_categories.class_table().categories
  ]


def _second_clip(root):
  """Adds a clip to DAVIS' training split."""
  for part in ('JPEGImages', 'Annotations'):
    shutil.copytree(root / f'{part}/480p/bear', root / f'{part}/480p/cat')
  (root / 'ImageSets/2017/train.txt').write_text('bear\ncat\n')


@pytest.mark.parametrize(
  ('kind', 'missing', 'left'),
  [
    ('cityscapes', 'leftImg8bit/train/aachen/*.png', 1),
    ('cityscapes', 'gtFine/train/aachen/*.png', 1),
    # A video of four frames is left without the other of three.
    ('kitti_step', 'images/train/0001/000001.png', 4),
    ('kitti_step', 'panoptic_maps/train/0001/000001.png', 4),
    ('panoptic_folder', 'train2017/000000000010.jpg', 2),
    (
      'panoptic_folder',
      'annotations/panoptic_train2017/000000000010.png',
      2,
    ),
    ('coco_panoptic', 'train2017/000000000010.jpg', 2),
    ('coco_panoptic', 'annotations/panoptic_train2017/000000000010.png', 2),
    ('davis', 'JPEGImages/480p/cat/00001.jpg', 4),
    ('davis', 'Annotations/480p/cat/00003.png', 4),
  ],
)
def test_skip_bad_leaves_out_frames_that_lack_a_file(
  tmp_path, capsys, kind, missing, left
):
  root, data = tmp_path / 'official', str(tmp_path / 'data')
  split = 'train'
  if kind in ('panoptic_folder', 'coco_panoptic'):
    split = 'train2017'
    trees.coco(root, split, categories=_coco_categories())
  else:
    getattr(trees, kind)(root)
  if kind == 'davis':
    _second_clip(root)
  (path,) = root.glob(missing)
  path.unlink()
  with pytest.raises(samples.BadFile, match=f'{path.name} does not exist'):
    prepare.prepare(kind, str(root), data)
  prepare.prepare(kind, str(root), data, True)
  told = capsys.readouterr().err
  assert 'left out 1 bad images' in told and f'{path} does not exist' in told
  assert _open(kind, data, split).num_examples == left


def test_skip_bad_leaves_out_whole_videos(tmp_path):
  trees.kitti_step(tmp_path / 'official')
  path = tmp_path / 'official/panoptic_maps/train/0001/000001.png'
  trees.png(path, np.zeros([24, 80, 3], np.uint8) + 40)  # No such class.
  prepare.prepare(
    'kitti_step', str(tmp_path / 'official'), str(tmp_path / 'data'), True
  )
  dataset = _open('kitti_step', tmp_path / 'data', 'train')
  assert list(dataset.sequences) == ['0000']


def test_skip_bad_leaves_out_videos_that_tfds_would_stumble_over(tmp_path):
  trees.davis(tmp_path / 'official')
  root = tmp_path / 'official'
  _second_clip(root)
  path = root / 'Annotations/480p/cat/00001.png'
  path.write_bytes(path.read_bytes()[:-40])
  prepare.prepare('davis', str(root), str(tmp_path / 'data'), True)
  dataset = _open('davis', tmp_path / 'data', 'train')
  assert list(dataset.sequences) == ['bear']


def test_images_without_labels_are_told_of(tmp_path, capsys):
  trees.cityscapes(tmp_path / 'official')
  shutil.rmtree(tmp_path / 'official/leftImg8bit/val')
  prepare.prepare('cityscapes', str(tmp_path / 'official'), str(tmp_path / 'd'))
  told = capsys.readouterr().err
  assert 'val is left out: ' in told and 'no leftImg8bit/val' in told


def test_nothing_half_written_stays(tmp_path, monkeypatch):
  trees.cityscapes(tmp_path / 'official')
  data_dir = tmp_path / 'data'
  leftover = data_dir / 'cityscapes_panoptic/incomplete.X_1.1.0'
  leftover.mkdir(parents=True)
  arguments = 'cityscapes', str(tmp_path / 'official'), str(data_dir)

  def fail(*args):
    raise OSError('no space left on device')

  with monkeypatch.context() as patch:
    patch.setattr(builders.PackedSamples, '_generate_examples', fail)
    with pytest.raises(OSError, match='no space'):
      prepare.prepare(*arguments)
  assert records.find(cityscapes.SPEC, str(data_dir)) is None
  prepare.prepare(*arguments)
  assert os.listdir(data_dir / 'cityscapes_panoptic') == ['1.1.0']


def test_no_manual_dir_says_what_to_fetch(tmp_path):
  with pytest.raises(ValueError, match='cannot be downloaded.*Register'):
    prepare.prepare('cityscapes', '', str(tmp_path))


def test_other_categories_are_not_packed_as_coco(tmp_path):
  trees.coco(tmp_path / 'mine')
  with pytest.raises(ValueError, match='--dataset=panoptic_folder'):
    prepare.prepare('coco_panoptic', str(tmp_path / 'mine'), str(tmp_path))
  assert os.listdir(tmp_path) == ['mine']


def test_coco_without_annotations_is_refused_before_it_is_packed(tmp_path):
  official = [
    {'id': c.id, 'name': c.name, 'isthing': int(c.isthing)}
    for c in coco_categories.class_table().categories
  ]
  path = trees.coco(tmp_path / 'mine', categories=official)
  content = json.loads(path.read_text())
  del content['annotations'][1]
  path.write_text(json.dumps(content))
  with pytest.raises(ValueError, match='image 20 has no annotation: remove'):
    prepare.prepare('coco_panoptic', str(tmp_path / 'mine'), str(tmp_path))
  assert os.listdir(tmp_path) == ['mine']


def test_coco_without_boxes_is_refused_before_it_is_packed(tmp_path):
  official = [
    {'id': c.id, 'name': c.name, 'isthing': int(c.isthing)}
    for c in coco_categories.class_table().categories
  ]
  path = trees.coco(tmp_path / 'mine', categories=official)
  content = json.loads(path.read_text())
  del content['annotations'][1]['segments_info'][2]['bbox']
  path.write_text(json.dumps(content))
  with pytest.raises(ValueError, match='segment 300 of image 20 has no bbox'):
    prepare.prepare('coco_panoptic', str(tmp_path / 'mine'), str(tmp_path))
  assert os.listdir(tmp_path) == ['mine']


@pytest.mark.slow
def test_the_last_line_says_how_to_use_the_records(tmp_path):
  trees.cityscapes(tmp_path / 'official')
  done = subprocess.run(
    [sys.executable, '-m', 'data.prepare', '--dataset=cityscapes']
    + [f'--manual_dir={tmp_path}/official', f'--data_dir={tmp_path}/data'],
    check=True,
    capture_output=True,
    text=True,
    cwd=pathlib.Path(prepare.__file__).parents[1],
  )
  assert done.stdout.splitlines()[-1].endswith(
    'cityscapes_panoptic/1.1.0 is ready: --params_override='
    f'data.name=cityscapes,data.dir={tmp_path}/data'
  )
