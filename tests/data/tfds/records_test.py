"""Tests of records, on real pieces."""

import collections
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
from data.datasets import davis, kitti_step
from data.reading import spec
from data.tfds import builders


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


@pytest.mark.slow
def test_folder_tfds_and_own_records_are_the_same(tmp_path):
  """Real images; the set of TFDS is made by its builder, not by ours."""
  root = shared.path('data', 'coco_panoptic_mini')
  builder = tfds.object_detection.Coco(
    data_dir=str(tmp_path / 'tfds'), config='2017_panoptic'
  )
  fed = spec.TfdsBuilder(builder, str(root), str(root / 'annotations'))
  builders.feed(fed)
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
    # One as a camera keeps it, whose size in the index is that of the others.
    photo = tmp_path / 'mine' / split / 'v0/00001.jpg'
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(photo) as image:
      image.transpose(Image.Transpose.ROTATE_90).save(photo, exif=exif)
  prepare.prepare('panoptic_folder', str(tmp_path / 'mine'), str(tmp_path))
  folder = trees.opened(tmp_path / 'mine', 'val2017')
  made = _open('panoptic_folder', tmp_path, 'val2017')
  assert made.sequences == {'v0': range(0, 3), 'v1': range(3, 6)}
  _assert_same(folder, made)


def _second_clip(root):
  """Adds a clip to DAVIS' training split."""
  for part in ('JPEGImages', 'Annotations'):
    shutil.copytree(root / f'{part}/480p/bear', root / f'{part}/480p/cat')
  (root / 'ImageSets/2017/train.txt').write_text('bear\ncat\n')


def test_davis_prefers_the_labels_of_the_unsupervised_task(tmp_path):
  root = tmp_path / 'official'
  trees.davis(root)
  shutil.copytree(root / 'Annotations', root / 'Annotations_unsupervised')
  for path in (root / 'Annotations').rglob('*.png'):
    # Those of the other task have no void.
    with Image.open(path) as image:
      ids, palette = np.array(image), image.getpalette()
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
