"""Tests of preparing data sets and reading them back, on real pieces."""

import collections
import dataclasses
import os
import pathlib
import shutil

import numpy as np
import pytest
import shared
import tensorflow as tf
import tensorflow_datasets as tfds
import trees
from PIL import Image

from configs import base
from data import pipeline, prepare, registry, video_pipeline
from data.datasets import cityscapes, coco_categories, davis, kitti_step
from data.reading import samples
from data.tfds import builders, records


def _open(name, data_dir, split):
  config = base.Data(name=name, source='tfds', dir=str(data_dir))
  return registry.create(config, split)


def _examples(dataset):
  read = tf.data.Dataset.range(dataset.num_examples).map(dataset.example)
  return [
    {name: value.numpy() for name, value in example.items()} for example in read
  ]


def _assert_same(dataset, other):
  """The same tensors, in the same order, and the same ground truth."""
  assert dataset.image_ids == other.image_ids
  for a, b in zip(_examples(dataset), _examples(other), strict=True):
    for name in a:
      np.testing.assert_array_equal(a[name], b[name])
  for key in dataset.image_ids:
    assert dataset.file_name(key) == other.file_name(key)
    mine, theirs = dataset.ground_truth(key), other.ground_truth(key)
    np.testing.assert_array_equal(mine.segment_ids, theirs.segment_ids)
    assert mine.segments == theirs.segments
  names = [category.name for category in dataset.classes.categories]
  assert names == [category.name for category in other.classes.categories]


def test_folder_tfds_and_own_records_are_the_same(tmp_path):
  """Real photos; the set of TFDS is made by its builder, not by ours."""
  root = shared.path('data', 'coco_panoptic_mini')
  builder = tfds.object_detection.Coco(
    data_dir=str(tmp_path / 'tfds'), config='2017_panoptic'
  )
  builders.feed(builder, str(root), str(root / 'annotations'))
  builder.download_and_prepare()
  for name in ('coco_panoptic', 'panoptic_folder'):
    prepare.prepare(name, str(root), str(tmp_path / 'own'))
  for split, tfds_split in (('train2017', 'train'), ('val2017', 'validation')):
    folder = trees.opened(root, split)
    made = _open('coco_panoptic', tmp_path / 'tfds', split)
    _assert_same(folder, made)
    _assert_same(folder, _open('coco_panoptic', tmp_path / 'own', tfds_split))
    _assert_same(folder, _open('panoptic_folder', tmp_path / 'own', split))
  # Training sees the same, too.
  config = base.Experiment()
  config.model.image_size, config.model.mask_size = (64, 64), (32, 32)
  config.training.batch_size = 4
  config.data.augmentation = base.Augmentation(
    scale_jitter=(1.0, 3.0), color_jitter=1.0
  )
  sources = (trees.opened(root, 'val2017'), made)
  streams = [pipeline.train_dataset(s, config).take(3) for s in sources]
  for a, b in zip(*streams, strict=True):
    for name in a:
      np.testing.assert_array_equal(a[name], b[name])


def test_kitti_step_keeps_its_tracks(tmp_path):
  root = shared.path('data', 'kitti_step')
  prepare.prepare('kitti_step', str(root), str(tmp_path))
  dataset = _open('kitti_step', tmp_path, 'train')
  assert dataset.classes.num_classes == 20
  assert list(dataset.sequences) == ['0001']
  assert dataset.num_examples == 10
  car = [c.name for c in dataset.classes.categories].index('car') + 1
  files = sorted((root / 'panoptic_maps/train/0001').glob('*.png'))
  number_of, frames_of = {}, collections.Counter()
  for example, path in zip(_examples(dataset), files, strict=True):
    pixels = np.array(Image.open(path)).astype(int)
    kind, track = pixels[..., 0], 256 * pixels[..., 1] + pixels[..., 2]
    label_map = example['label_map']
    crowd = np.isin(kind, (11, 13)) & (track == 0)
    void = (kind == 255) | crowd
    np.testing.assert_array_equal(
      label_map[..., 0], np.where(void, 0, kind + 1)
    )
    for instance in np.unique(track[(kind == 13) & (track > 0)]):
      inside = (kind == 13) & (track == instance)
      (number,) = np.unique(label_map[..., 1][inside])
      assert (label_map[..., 0][inside] == car).all()
      assert (label_map[..., 1] == number).sum() == inside.sum()
      # The same number in every frame.
      assert number_of.setdefault(instance, number) == number
      frames_of[instance] += 1
  assert len(number_of) == len(set(number_of.values()))
  # Seven cars from the first frame on, one of which leaves; three come later.
  assert {track: frames_of[track] for track in sorted(frames_of)} == {
    **{1: 6, 2: 10, 3: 10, 4: 10, 5: 10, 6: 10, 7: 10},
    **{95: 1, 96: 4, 98: 7},
  }


def test_davis_is_read_as_it_is(tmp_path):
  root = shared.path('data', 'davis')
  prepare.prepare('davis', str(root), str(tmp_path))
  for split, name in (('train', 'car-shadow'), ('val', 'camel')):
    dataset = _open('davis', tmp_path, split)
    files = sorted((root / 'Annotations/480p' / name).glob('*.png'))
    assert dataset.sequences == {name: range(len(files))}
    for i in (0, len(files) // 2, len(files) - 1):
      objects = np.array(Image.open(files[i]))
      example = dataset.example(tf.constant(i, tf.int64))
      label_map = example['label_map'].numpy()
      np.testing.assert_array_equal(
        label_map[..., 0], (objects > 0) & (objects < 255)
      )
      jpeg = root / f'JPEGImages/480p/{name}/{i:05d}.jpg'
      expected = tf.io.decode_jpeg(jpeg.read_bytes(), channels=3)
      np.testing.assert_array_equal(example['image'], expected)
      truth = dataset.ground_truth(dataset.image_ids[i])
      np.testing.assert_array_equal(
        truth.segment_ids, np.where(objects == 255, 0, objects)
      )


@pytest.mark.parametrize(
  'name, module', [('kitti_step', kitti_step), ('davis', davis)]
)
def test_videos_make_clips_and_streams(tmp_path, name, module):
  getattr(trees, name)(tmp_path / 'official')
  prepare.prepare(name, str(tmp_path / 'official'), str(tmp_path / 'data'))
  dataset = _open(name, tmp_path / 'data', 'train')
  config = base.Experiment()
  config.data.name = name
  config.model.image_size, config.model.mask_size = (24, 80), (12, 40)
  config.training.batch_size = config.evaluation.batch_size = 2
  config.model.past_masks = 2
  (batch,) = pipeline.train_dataset(dataset, config).take(1)
  assert batch['past_masks'].shape == (2, 12, 40, 4)
  assert batch['label_map'].numpy().any()
  indices = [b['index'] for b in video_pipeline.eval_dataset(dataset, config)]
  indices = np.concatenate(indices)
  assert sorted(indices[indices >= 0]) == list(range(dataset.num_examples))
  frames = module.list_split(str(tmp_path / 'official'), 'train').samples
  names = [dataset.file_name(key) for key in dataset.image_ids]
  assert names == [frame.name for frame in frames]


def test_own_videos_are_prepared(tmp_path):
  for split in ('train2017', 'val2017'):
    trees.coco(tmp_path / 'mine', split, count=6, videos=True)
  prepare.prepare('panoptic_folder', str(tmp_path / 'mine'), str(tmp_path))
  folder = trees.opened(tmp_path / 'mine', 'val2017')
  made = _open('panoptic_folder', tmp_path, 'val2017')
  assert made.sequences == {'v0': range(0, 3), 'v1': range(3, 6)}
  _assert_same(folder, made)


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


def test_davis_prefers_the_labels_of_the_unsupervised_task(tmp_path):
  root = tmp_path / 'official'
  trees.davis(root)
  shutil.copytree(root / 'Annotations', root / 'Annotations_unsupervised')
  for path in (root / 'Annotations').rglob('*.png'):
    # Those of the other task have no void.
    with Image.open(path) as picture:
      ids, palette = np.array(picture), picture.getpalette()
    changed = Image.fromarray(np.where(ids == 255, 0, ids)).convert('P')
    changed.putpalette(palette)
    changed.save(path)
  prepare.prepare('davis', str(root), str(tmp_path / 'data'))
  dataset = _open('davis', tmp_path / 'data', 'train')
  truth = dataset.ground_truth(dataset.image_ids[0])
  assert truth.void is not None and truth.void[22:].all()
  shutil.rmtree(root / 'Annotations_unsupervised')
  prepare.prepare('davis', str(root), str(tmp_path / 'other'))
  dataset = _open('davis', tmp_path / 'other', 'train')
  truth = dataset.ground_truth(dataset.image_ids[0])
  assert truth.void is None or not truth.void.any()


def test_images_without_labels_are_told_of(tmp_path, capsys):
  trees.cityscapes(tmp_path / 'official')
  shutil.rmtree(tmp_path / 'official/leftImg8bit/val')
  prepare.prepare('cityscapes', str(tmp_path / 'official'), str(tmp_path / 'd'))
  told = capsys.readouterr().err
  assert 'val is left out: ' in told and 'no leftImg8bit/val' in told


def test_nothing_half_written_stays(tmp_path, monkeypatch):
  trees.cityscapes(tmp_path / 'official')
  data_dir = tmp_path / 'data'
  leftover = data_dir / 'cityscapes_panoptic/incomplete.X_1.0.0'
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
  assert os.listdir(data_dir / 'cityscapes_panoptic') == ['1.0.0']


def test_unprepared_sets_name_the_command(tmp_path):
  with pytest.raises(FileNotFoundError, match='--dataset=davis') as error:
    _open('davis', tmp_path, 'val')
  assert '\n' not in str(error.value)
  with pytest.raises(FileNotFoundError, match='neither.*ImageSets/') as error:
    registry.create(
      base.Data(name='davis', dir=str(tmp_path), source=''), 'val'
    )
  assert '\n' not in str(error.value)


def test_an_unknown_split_is_named(tmp_path):
  trees.cityscapes(tmp_path / 'official', ('train',))
  prepare.prepare('cityscapes', str(tmp_path / 'official'), str(tmp_path))
  with pytest.raises(ValueError, match="no split 'val': choose one of train"):
    _open('cityscapes', tmp_path, 'val')
