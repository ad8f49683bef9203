"""Tests of reading official folders as they are, and of their indices."""

import dataclasses
import multiprocessing
import os
import shutil

import numpy as np
import pytest
import shared
import tensorflow as tf
import trees
from PIL import Image

from data import check, folder, prepare, registry, verify
from data.datasets import coco_categories
from data.reading import file_dataset, samples
from data.tfds import records
from panoptic import png

_COCO = [
  {'id': c.id, 'name': c.name, 'isthing': int(c.isthing)}
  for c in coco_categories.class_table().categories
]


def _write(name, root):
  """A tiny official tree of a data set; the splits to be read."""
  if name in ('coco_panoptic', 'panoptic_folder'):
    videos = name == 'panoptic_folder'
    for split, count in (('train2017', 6), ('val2017', 3)):
      trees.coco(root, split, count, videos, _COCO)
    return 'train2017', 'val2017'
  getattr(trees, name)(root)
  return ('train',) if name == 'kitti_step' else ('train', 'val')


def _open(name, root, split):
  return folder.open_split(registry.get_files(name), str(root), split)


def _assert_equal(content, other):
  """All that is known of the samples, and the content of their files."""
  assert content.classes.categories == other.classes.categories
  for field in dataclasses.fields(content):
    mine, theirs = getattr(content, field.name), getattr(other, field.name)
    if field.name == 'images':
      for i in range(len(content.names)):
        assert mine.read(i) == theirs.read(i)
    elif field.name == 'labels':  # TFDS writes those of DAVIS anew.
      for i in range(len(content.names)):
        np.testing.assert_array_equal(
          *(png.decode_ids(x.read(i), content.encoding) for x in (mine, theirs))
        )
    elif isinstance(mine, np.ndarray):
      np.testing.assert_array_equal(mine, theirs)
      assert mine.dtype == theirs.dtype
    elif field.name != 'classes':
      assert mine == theirs


def _index(root, name, split):
  return root / f'.pix2seq_d-{name}-{split}.npz'


NAMES = (
  *('coco_panoptic', 'panoptic_folder', 'cityscapes', 'kitti_step'),
  'davis',
)
# Their labels say the segments.
WITHOUT_ANNOTATION = NAMES[2:]


@pytest.mark.parametrize('name', NAMES)
def test_a_folder_and_its_records_are_the_same(tmp_path, name):
  splits = _write(name, tmp_path / 'official')
  spec = registry.get_files(name)
  prepare.prepare(name, str(tmp_path / 'official'), str(tmp_path / 'packed'))
  for split in splits:
    packed = records.open_split(spec, str(tmp_path / 'packed'), split)
    made = _open(name, tmp_path / 'official', split)
    _assert_equal(made, packed)
    assert _index(tmp_path / 'official', name, split).exists()
    _assert_equal(_open(name, tmp_path / 'official', split), packed)


@pytest.mark.parametrize('name', NAMES)
def test_the_second_start_reads_no_label_and_no_annotation(
  tmp_path, name, monkeypatch
):
  split = _write(name, tmp_path)[0]
  first = _open(name, tmp_path, split)

  def fail(*args, **kwargs):
    raise AssertionError('a file was read')

  monkeypatch.setattr(verify, 'check', fail)
  monkeypatch.setattr('data.datasets.coco_json.read_json', fail)
  _assert_equal(_open(name, tmp_path, split), first)


@pytest.mark.parametrize('name', WITHOUT_ANNOTATION)
def test_a_changed_label_file_is_read_again(tmp_path, name):
  split = _write(name, tmp_path)[0]
  before = _open(name, tmp_path, split)
  path = before.labels.paths[0]
  trees.change_labels(
    path,
    lambda pixels: np.concatenate([0 * pixels[:4] + pixels[-1, 0], pixels[4:]]),
  )
  os.utime(path, ns=(0, 10**18))
  after = _open(name, tmp_path, split)
  assert not np.array_equal(before.segments, after.segments)
  assert after.segments[:, 3].sum() != 0


def test_a_renamed_sequence_is_listed_anew(tmp_path):
  trees.kitti_step(tmp_path)
  before = _open('kitti_step', tmp_path, 'train')
  for part in ('images', 'panoptic_maps'):
    (tmp_path / part / 'train/0001').rename(tmp_path / part / 'train/0007')
  after = _open('kitti_step', tmp_path, 'train')
  assert before.sequences == ('0000', '0001')
  assert after.sequences == ('0000', '0007')
  assert after.names[-1] == '0007/000002.png'


def test_a_changed_annotation_is_read_again(tmp_path):
  path = trees.coco(tmp_path)
  before = _open('panoptic_folder', tmp_path, 'val2017')
  path.write_text(path.read_text().replace('sky-other-merged', 'heavens'))
  after = _open('panoptic_folder', tmp_path, 'val2017')
  assert before.classes.categories[1].name == 'sky-other-merged'
  assert after.classes.categories[1].name == 'heavens'


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('part', ['images', 'labels'])
def test_a_file_that_went_away_is_noticed(tmp_path, name, part):
  split = _write(name, tmp_path)[0]
  path = getattr(_open(name, tmp_path, split), part).paths[1]
  os.remove(path)
  with pytest.raises((FileNotFoundError, samples.BadFile)) as error:
    _open(name, tmp_path, split)
  assert path in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize('name', WITHOUT_ANNOTATION)
def test_the_first_bad_label_file_is_refused(tmp_path, name):
  split = _write(name, tmp_path)[0]
  listing = registry.get_files(name).tree.list_split(str(tmp_path), split)
  path = listing.samples[1].labels
  with open(path, 'rb+') as file:
    file.truncate(os.path.getsize(path) // 2)
  with pytest.raises(samples.BadFile, match=f'{path}: .*cut short; fetch'):
    _open(name, tmp_path, split)
  assert not _index(tmp_path, name, split).exists()


def test_labels_of_another_size_are_refused(tmp_path):
  trees.kitti_step(tmp_path)
  trees.save_image(tmp_path / 'images/train/0000/000001.png', (20, 80))
  with pytest.raises(
    samples.BadFile, match='24x80 pixels, but its image is 20'
  ):
    _open('kitti_step', tmp_path, 'train')


def test_a_broken_index_is_made_anew(tmp_path):
  trees.davis(tmp_path)
  before = _open('davis', tmp_path, 'val')
  path = _index(tmp_path, 'davis', 'val')
  content = path.read_bytes()
  for broken in (b'', content[: len(content) // 2], b'x' * 100):
    path.write_bytes(broken)
    _assert_equal(_open('davis', tmp_path, 'val'), before)
  assert path.read_bytes() == content


def test_a_folder_may_move_with_its_index(tmp_path, monkeypatch):
  trees.cityscapes(tmp_path / 'old')
  before = _open('cityscapes', tmp_path / 'old', 'val')
  shutil.move(tmp_path / 'old', tmp_path / 'new')
  monkeypatch.setattr(verify, 'check', None)
  after = _open('cityscapes', tmp_path / 'new', 'val')
  assert all(str(tmp_path / 'new') in path for path in after.labels.paths)
  np.testing.assert_array_equal(before.segments, after.segments)


def _cached(own_cache):
  return sorted(own_cache.rglob('*.npz'))


@pytest.mark.parametrize('name', ['panoptic_folder', 'davis'])
def test_a_read_only_folder_stays_as_it_is(tmp_path, own_cache, name):
  """Even for root, who could write to it."""
  split = _write(name, tmp_path / 'mine')[0]
  (tmp_path / 'mine').chmod(0o555)
  present = sorted((tmp_path / 'mine').rglob('*'))
  known = _cached(own_cache)
  first = _open(name, tmp_path / 'mine', split)
  assert sorted((tmp_path / 'mine').rglob('*')) == present
  (new,) = set(_cached(own_cache)) - set(known)
  assert new.name == f'.pix2seq_d-{name}-{split}.npz'
  written = new.stat().st_mtime_ns
  _assert_equal(_open(name, tmp_path / 'mine', split), first)
  assert new.stat().st_mtime_ns == written


def test_records_of_a_read_only_folder_are_indexed_in_the_cache(
  tmp_path, own_cache
):
  trees.davis(tmp_path / 'official')
  prepare.prepare('davis', str(tmp_path / 'official'), str(tmp_path / 'data'))
  spec = registry.get_files('davis')
  version = records.find(spec, str(tmp_path / 'data'))
  os.remove(os.path.join(version, 'pix2seq_d-train.npz'))
  os.chmod(version, 0o555)
  known = _cached(own_cache)
  records.open_split(spec, str(tmp_path / 'data'), 'train')
  assert not os.path.exists(os.path.join(version, 'pix2seq_d-train.npz'))
  (new,) = set(_cached(own_cache)) - set(known)
  assert new.name == 'pix2seq_d-train.npz'


@pytest.mark.parametrize(
  ('name', 'piece', 'split'),
  [
    ('coco_panoptic', 'coco_panoptic_mini', 'val2017'),
    ('kitti_step', 'kitti_step', 'train'),
    ('davis', 'davis', 'val'),
  ],
)
def test_real_pieces_are_never_written(
  tmp_path, monkeypatch, name, piece, split
):
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
  root = shared.path('data', piece)
  present = sorted(root.rglob('*'))
  first = _open(name, root, split)
  assert sorted(root.rglob('*')) == present
  assert len(_cached(tmp_path)) == 1
  _assert_equal(_open(name, root, split), first)


def test_no_place_for_an_index_is_said(tmp_path, monkeypatch, capsys):
  trees.davis(tmp_path / 'mine')
  (tmp_path / 'mine').chmod(0o555)
  (tmp_path / 'file').write_text('')
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
  assert len(_open('davis', tmp_path / 'mine', 'val').names) == 3
  assert 'can be written, so the index' in capsys.readouterr().out


def _open_and_count(root):
  return len(_open('kitti_step', root, 'train').names)


@pytest.mark.slow
def test_several_processes_may_start_at_once(tmp_path):
  trees.kitti_step(tmp_path)
  with multiprocessing.get_context('spawn').Pool(2) as pool:
    assert pool.map(_open_and_count, [tmp_path] * 4) == [7] * 4
  assert not list(tmp_path.glob('*.tmp'))
  assert _index(tmp_path, 'kitti_step', 'train').exists()


def test_a_split_of_coco_without_images_is_left_out(tmp_path):
  trees.coco(tmp_path)
  for path in (tmp_path / 'annotations').glob('panoptic_val2017*'):
    copy = shutil.copytree if path.is_dir() else shutil.copy
    copy(path, str(path).replace('val', 'train'))
  listed = folder.list_splits(
    registry.get_files('coco_panoptic'), str(tmp_path)
  )
  assert list(listed) == ['val2017']
  # In a set of one's own it would be a folder with another name.
  with pytest.raises(FileNotFoundError, match='train2017 does not exist'):
    folder.list_splits(registry.get_files('panoptic_folder'), str(tmp_path))


def test_masks_of_one_bit_are_an_object_and_background(tmp_path):
  trees.davis(tmp_path)
  for path in tmp_path.rglob('*.png'):
    with Image.open(path) as image:
      ids = np.array(image) == 1
    Image.fromarray(ids).save(path)
    with Image.open(path) as image:
      assert image.mode == '1'
  assert not check.check('davis', str(tmp_path)).bad
  dataset = file_dataset.FileDataset(_open('davis', tmp_path, 'val'))
  label_map = dataset.example(tf.constant(0, tf.int64))['label_map'].numpy()
  truth = dataset.ground_truth(dataset.image_ids[0])
  np.testing.assert_array_equal(label_map[..., 1], truth.segment_ids)
  assert set(np.unique(truth.segment_ids)) == {0, 1}


@pytest.mark.parametrize('bits', [1, 2, 8])
def test_labels_of_davis_are_the_values_of_its_palette(tmp_path, bits):
  trees.davis(tmp_path)
  for path in tmp_path.rglob('*.png'):
    with Image.open(path) as image:
      ids, palette = np.array(image), image.getpalette()
    ids[ids == 255] = 3 if bits == 2 else 255
    ids = ids % 2 if bits == 1 else ids
    saved = Image.fromarray(ids).convert('P')
    saved.putpalette(palette)
    saved.save(path, bits=bits)
  dataset = file_dataset.FileDataset(_open('davis', tmp_path, 'val'))
  for index, image_id in enumerate(dataset.image_ids):
    found = dataset.example(tf.constant(index, tf.int64))['label_map'][..., 1]
    truth = dataset.ground_truth(image_id)
    numbers = {s.id: found[truth.segment_ids == s.id] for s in truth.segments}
    assert len(numbers) == {1: 1, 2: 3, 8: 2}[bits]
    for pixels in numbers.values():
      assert len(np.unique(pixels)) == 1 and pixels[0] > 0
    assert not found[truth.segment_ids == 0].numpy().any()
