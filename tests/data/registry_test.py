"""Tests of the data sets by name, and of where their files lie."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tiny
import trees
from PIL import Image

from configs import base
from data import datasets, pipeline, prepare, registry
from panoptic import maps, png

_ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = (
  *('cityscapes', 'coco_panoptic', 'davis', 'kitti_step'),
  'panoptic_folder',
)


def test_all_data_sets_are_found():
  assert registry.names() == sorted([*FILES, 'moving_shapes', 'shapes'])
  for name in registry.names():
    assert registry.get(name).name == name


@pytest.mark.parametrize('name', ['coco_json', 'cityscape', 'os.path', ''])
def test_unknown_data_sets_are_refused(name):
  with pytest.raises(ValueError, match='is no data set: choose one of .*davis'):
    registry.get(name)


def test_rendered_sets_have_no_files():
  with pytest.raises(ValueError, match='shapes is no data set of files'):
    registry.get_files('shapes')


def test_specs_need_no_tensorflow():
  program = (
    'import sys\n'
    'from data import check, folder, prepare, registry, sources, verify\n'
    f'specs = [registry.get_files(name) for name in {FILES}]\n'
    'assert specs[3].classes.num_classes == 20 and specs[3].encoding.offset\n'
    'loaded = {"tensorflow", "tf_keras", "tensorflow_datasets", "configs"}\n'
    'assert not loaded & set(sys.modules), loaded & set(sys.modules)\n'
  )
  subprocess.run([sys.executable, '-c', program], check=True, cwd=_ROOT)


def test_folders_are_read_without_tensorflow(tmp_path):
  trees.kitti_step(tmp_path)
  program = (
    'import sys\n'
    'from data import registry, sources\n'
    'spec = registry.get_files("kitti_step")\n'
    f'content = sources.open_split(spec, {str(tmp_path)!r}, "train")\n'
    'assert len(content.names) == 7\n'
    'assert "tensorflow" not in sys.modules\n'
  )
  subprocess.run([sys.executable, '-c', program], check=True, cwd=_ROOT)


def _create(name, root, source=''):
  config = base.Data(name=name, source=source, dir=str(root))
  return registry.create(config, 'train')


def test_the_folder_decides_how_it_is_read(tmp_path):
  trees.cityscapes(tmp_path / 'official')
  prepare.prepare('cityscapes', str(tmp_path / 'official'), str(tmp_path))
  official = _create('cityscapes', tmp_path / 'official')
  packed = _create('cityscapes', tmp_path)
  assert official.image_ids == packed.image_ids
  assert official.example(0)['image_id'] == 1


def test_a_folder_of_both_is_refused(tmp_path):
  trees.cityscapes(tmp_path)
  prepare.prepare('cityscapes', str(tmp_path), str(tmp_path))
  with pytest.raises(ValueError, match='both.*1.1.0: choose by data.source'):
    _create('cityscapes', tmp_path)
  for source in ('folder', 'tfds'):
    assert _create('cityscapes', tmp_path, source).num_examples == 2


@pytest.mark.parametrize(
  ('name', 'layout'),
  [
    ('cityscapes', r'leftImg8bit/ and gtFine/'),
    ('kitti_step', r'images/ and panoptic_maps/'),
    ('davis', r'ImageSets/, JPEGImages/ and Annotations/'),
    ('coco_panoptic', r'annotations/panoptic_<split>.json'),
    ('panoptic_folder', r'annotations/panoptic_<split>.json'),
  ],
)
def test_a_folder_of_neither_is_told_what_to_hold(tmp_path, name, layout):
  with pytest.raises(FileNotFoundError, match=f'neither .*{layout}') as error:
    _create(name, tmp_path)
  assert '\n' not in str(error.value) and 'meant' not in str(error.value)
  writer = trees.coco if 'panoptic' in name else getattr(trees, name)
  writer(tmp_path / 'deeper')
  with pytest.raises(FileNotFoundError, match='looks as if .*/deeper were'):
    _create(name, tmp_path)
  with pytest.raises(ValueError, match=f'data.dir is empty.*{layout}'):
    _create(name, '')


def test_classes_need_no_data():
  for name, count in (('coco_panoptic', 134), ('davis', 2), ('cityscapes', 20)):
    assert registry.class_table(base.Data(name=name)).num_classes == count
  with pytest.raises(ValueError, match='data.dir is empty'):
    registry.class_table(base.Data(name='panoptic_folder'))


def test_classes_of_a_folder_are_its_own(tmp_path):
  trees.coco(tmp_path)
  config = base.Data(
    name='coco_panoptic', dir=str(tmp_path), eval_split='val2017', source=''
  )
  names = [c.name for c in registry.class_table(config).categories]
  assert names == ['person', 'sky-other-merged']


def _prediction(spec):
  """A thing, stuff and void, of a class table's first classes of each."""
  classes = spec.classes or registry.get('coco_panoptic').classes
  thing = next(c for c in classes.categories if c.isthing)
  stuff = next((c for c in classes.categories if not c.isthing), thing)
  ids = np.array([[0, 130, 130], [0, 3, 3]])
  segments = [maps.Segment(130, thing.id), maps.Segment(3, stuff.id)]
  return maps.PanopticMap(ids, segments), classes


@pytest.mark.parametrize(
  'name', ['shapes', 'coco_panoptic', 'panoptic_folder', 'cityscapes']
)
def test_results_in_cocos_format(tmp_path, name):
  spec = registry.get(name)
  prediction, classes = _prediction(spec)
  with spec.result_writer(str(tmp_path), classes) as writer:
    writer.add(7, 'a/b.png', prediction)
  ids = png.read_ids(tmp_path / 'panoptic/a/b.png', png.COCO)
  np.testing.assert_array_equal(ids, prediction.segment_ids)
  assert '"image_id": 7' in (tmp_path / 'panoptic.json').read_text()


def test_results_in_davis_format(tmp_path):
  spec = registry.get('davis')
  prediction, classes = _prediction(spec)
  with spec.result_writer(str(tmp_path), classes) as writer:
    writer.add(7, 'bear/00000.png', prediction)
  with Image.open(tmp_path / 'bear/00000.png') as image:
    assert image.mode == 'P'
    np.testing.assert_array_equal(image, prediction.segment_ids)


_TOY = '''
"""Lists `<split>.list` of `image labels`; labels are gray, all of one class."""

import os

from data.reading import paths, samples, spec
from panoptic import classes, maps, png


def list_split(folder, split):
  lines = paths.read_text(os.path.join(folder, f'{split}.list')).splitlines()
  pairs = [line.split() for line in lines]
  return samples.Listing(
    [
      samples.Sample(
        labels, os.path.join(folder, image), os.path.join(folder, labels), i
      )
      for i, (image, labels) in enumerate(pairs)
    ]
  )


SPEC = spec.FileSpec(
  name='toy',
  result_writer=spec.coco_results,
  classes=classes.ClassTable([classes.Category(5, 'blob', True)]),
  encoding=png.Encoding('8 bits of gray', (1,), 8),
  find_segments=lambda ids, areas: [
    maps.Segment(i, 5, 0, area)
    for i, area in zip(ids.tolist(), areas.tolist(), strict=True)
  ],
  tree=spec.Tree(
    'lists <split>.list of toys',
    lambda folder: os.path.exists(os.path.join(folder, 'train.list')),
    lambda folder: ['train', 'validation'],
    list_split,
  ),
  records=spec.Records('toy'),
)
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
  """A data set whose module is outside of the project: the folder of both."""
  (tmp_path / 'modules').mkdir()
  (tmp_path / 'modules/toy.py').write_text(_TOY)
  ids = np.zeros([16, 20], np.uint8)
  ids[2:9, 3:11], ids[6:, 12:] = 7, 200
  for split, count in (('train', 4), ('validation', 3)):
    names = [f'{split}{i}.png' for i in range(count)]
    for i, name in enumerate(names):
      trees.save_image(tmp_path / f'toys/image_{name}', (16, 20), i)
      trees.png(tmp_path / f'toys/{name}', np.roll(ids, i, axis=1))
    (tmp_path / f'toys/{split}.list').write_text(
      ''.join(f'image_{name} {name}\n' for name in names)
    )
  path = [*datasets.__path__, str(tmp_path / 'modules')]
  monkeypatch.setattr(datasets, '__path__', path)
  yield tmp_path
  sys.modules.pop('data.datasets.toy', None)


def test_a_module_is_all_that_a_data_set_needs(toy):
  """Training, evaluation, results and records of a format of its own."""
  assert 'toy' in registry.names()
  prepare.prepare('toy', str(toy / 'toys'), str(toy / 'records'))
  for folder in ('toys', 'records'):
    config = tiny.experiment(data__name='toy', data__dir=str(toy / folder))
    config.data.source = ''
    dataset = registry.create(config.data, 'train')
    (batch,) = pipeline.train_dataset(dataset, config).take(1)
    assert batch['image'].shape == (4, 32, 32, 3)
    assert set(np.unique(batch['label_map'][..., 0])) == {0, 1}
    dataset = registry.create(config.data, 'validation')
    batches = list(pipeline.eval_dataset(dataset, config))
    keys = np.concatenate([batch['image_id'] for batch in batches])
    valid = np.concatenate([batch['valid'] for batch in batches])
    assert keys[valid].tolist() == dataset.image_ids == [0, 1, 2]
    out = toy / 'out' / folder
    with registry.get('toy').result_writer(str(out), dataset.classes) as writer:
      for key in dataset.image_ids:
        writer.add(key, dataset.file_name(key), dataset.ground_truth(key))
    written = png.read_ids(out / 'panoptic/validation1.png', png.COCO)
    with Image.open(toy / 'toys/validation1.png') as image:
      np.testing.assert_array_equal(written, image)


def test_a_module_names_its_data_set_as_itself(toy):
  (toy / 'modules/toy.py').write_text(_TOY.replace("'toy',", "'other',", 1))
  with pytest.raises(ValueError, match="the name 'other': call it 'toy'"):
    registry.get('toy')
