import json

import numpy as np
import pytest
import shared
import tensorflow as tf
import trees
from PIL import Image

import main  # noqa: F401  Registers the experiments.
from configs import base, loading
from data import pipeline, prepare, registry
from tasks import inspection


def _config(folder):
  config = base.Experiment()
  config.data.name, config.data.dir = 'coco_panoptic', str(folder)
  config.data.train_split = 'val2017'
  config.data.augmentation.flip = False
  config.model.image_size, config.model.mask_size = (24, 40), (24, 40)
  config.model.max_instances = 12
  return config


@pytest.mark.slow
def test_contact_sheet_and_statistics(tmp_path, capsys):
  trees.coco(tmp_path)
  inspection.run(_config(tmp_path), str(tmp_path / 'out'), count=5)
  told = capsys.readouterr().out
  assert 'segments per example: mean 3.0, from 3 to 3' in told
  assert 'dropped for want of an instance id: 0' in told
  assert 'sky-other-merged' in told and 'person' in told
  with Image.open(tmp_path / 'out/train.png') as sheet:
    # Two pairs of cells, three rows; cells are enlarged to 256 rows or more.
    assert 0 < sheet.height - (3 * 264 + 2 * 4) < 100  # Titles and legend.
    assert sheet.width == 4 * 440 + 3 * 4
    assert len(np.unique(np.asarray(sheet))) > 50


def test_statistics_are_those_of_the_files(tmp_path):
  """Of examples that are the images themselves."""
  trees.coco(tmp_path, count=1)
  dataset = trees.opened(tmp_path)
  label_map = dataset.example(0)['label_map'].numpy()
  example = {'label_map': label_map, 'num_dropped_segments': 2}
  found = inspection.statistics([example, example], dataset.classes)
  void = 40 + 4 * 5  # The first row, and the crowd.
  assert found['void'] == pytest.approx(void / (24 * 40))
  assert found['dropped'] == 4
  assert found['segments'].tolist() == [3, 3]
  persons = 2 * (12 * 8 + 10 * 12)
  assert found['pixels'].tolist() == [
    2 * void,
    persons,
    2 * 24 * 40 - persons - 2 * void,
  ]
  assert found['instances'].tolist() == [0, 4, 2]


@pytest.mark.slow
def test_what_finds_no_id_is_counted(tmp_path, capsys):
  trees.coco(tmp_path)
  config = _config(tmp_path)
  config.model.max_instances = 3  # Ids 1 and 2 for three segments.
  inspection.run(config, str(tmp_path / 'out'), count=4)
  told = capsys.readouterr().out
  assert 'from 2 to 2' in told
  assert 'dropped for want of an instance id: 4' in told


@pytest.mark.slow
def test_clips_show_past_masks(tmp_path):
  trees.coco(tmp_path, count=3, videos=True)
  config = _config(tmp_path)
  config.task, config.model.past_masks = 'video', 2
  inspection.run(config, str(tmp_path / 'out'), count=2)
  with Image.open(tmp_path / 'out/train.png') as sheet:
    cells = np.asarray(sheet).reshape(sheet.height, sheet.width, 3)
  assert cells.shape[1] == 4 * 440 + 3 * 4
  assert 0 < cells.shape[0] - (2 * 264 + 4) < 100  # Titles and legend.


def test_images_are_chosen_by_their_ids(tmp_path, capsys, monkeypatch):
  trees.coco(tmp_path)
  config = _config(tmp_path)
  config.evaluation.visualized_ids = ('30', '000000000010.jpg')
  seen = []
  drawn = inspection._drawn

  def watch(example, *arguments):
    seen.append(example['image'])
    return drawn(example, *arguments)

  monkeypatch.setattr(inspection, '_drawn', watch)
  inspection.run(config, str(tmp_path / 'out'))
  dataset = registry.create(config.data, 'val2017')
  for image, image_id in zip(seen, (30, 10), strict=True):
    difference = image.astype(int) - dataset.image(image_id)
    assert np.abs(difference).mean() < 2
  assert 'train.png: 2 examples' in capsys.readouterr().out
  config.evaluation.visualized_ids = ('31',)
  with pytest.raises(
    ValueError, match="val2017 has no image '31': the first is 10"
  ):
    inspection.run(config, str(tmp_path / 'other'))
  assert not (tmp_path / 'other').exists()


@pytest.mark.parametrize(
  'output, count, sentence', [('', 1, 'needs --output'), ('x', 0, 'is 0')]
)
def test_wrong_flags(output, count, sentence):
  with pytest.raises(ValueError, match=sentence):
    inspection.run(base.Experiment(), output, count)


@pytest.mark.parametrize('name', ['coco_panoptic', 'shapes'])
def test_what_is_unusual_in_the_split_is_told_first(
  tmp_path, monkeypatch, capsys, name
):
  trees.coco(
    tmp_path,
    categories=[*trees.COCO_CATEGORIES, {'id': 3, 'name': 'car', 'isthing': 1}],
  )
  config = _config(tmp_path)
  config.data.name = name
  if name == 'shapes':
    config.data.train_split = 'train'

  def fail(*args, **options):
    raise KeyboardInterrupt

  monkeypatch.setattr(pipeline, 'train_dataset', fail)
  with pytest.raises(KeyboardInterrupt):
    inspection.run(config, str(tmp_path / 'out'))
  lines = capsys.readouterr().err.splitlines()
  expected = [
    'warning: val2017: 1 of 3 classes (33.3 %) have no segment, the first '
    'being car'
  ]
  assert [line for line in lines if 'warning' in line] == (
    expected if name == 'coco_panoptic' else []
  )


def _counted_in_coco(root, split):
  """Void, pixels and segments by class: straight from the files."""
  content = json.loads(
    (root / f'annotations/panoptic_{split}.json').read_text()
  )
  position = {c['id']: i for i, c in enumerate(content['categories'], start=1)}
  pixels, instances = np.zeros([2, len(position) + 1], np.int64)
  for annotation in content['annotations']:
    path = root / f'annotations/panoptic_{split}' / annotation['file_name']
    ids = np.array(Image.open(path)).astype(np.int64) @ [1, 256, 65536]
    counts = dict(zip(*np.unique(ids, return_counts=True), strict=True))
    for segment in annotation['segments_info']:
      count = counts[segment['id']]
      kind = 0 if segment['iscrowd'] else position[segment['category_id']]
      pixels[kind] += count
      instances[kind] += 1
    pixels[0] += counts.get(0, 0)
  return pixels, instances


def _counted_in_kitti_step(root):
  pixels, instances = np.zeros([2, 20], np.int64)
  for path in (root / 'panoptic_maps/train').rglob('*.png'):
    red, green, blue = np.moveaxis(np.array(Image.open(path)), -1, 0)
    kind = np.where(red == 255, 0, red + 1)
    track = 256 * green.astype(int) + blue
    kind[np.isin(red, (11, 13)) & (track == 0)] = 0  # Groups.
    pixels += np.bincount(kind.ravel(), minlength=20)
    things = np.isin(red, (11, 13))
    for number in range(1, 20):
      inside = kind == number
      tracks = np.unique(track[inside & things])
      instances[number] += len(tracks) or inside.any()
  return pixels, instances


def _counted_in_davis(root):
  pixels, instances = np.zeros([2, 2], np.int64)
  for path in (root / 'Annotations/480p/car-shadow').glob('*.png'):
    ids = np.array(Image.open(path))
    objects = (ids > 0) & (ids < 255)
    pixels += np.bincount(objects.ravel(), minlength=2)
    instances[1] += len(np.unique(ids[objects]))
  return pixels, instances


@pytest.mark.slow
@pytest.mark.parametrize(
  ('name', 'piece', 'split'),
  [
    ('coco_panoptic', 'coco_panoptic_mini', 'train2017'),
    ('coco_panoptic', 'coco_panoptic_mini', 'val2017'),
    ('coco_panoptic', 'coco_panoptic_100', 'train2017'),
    ('kitti_step', 'kitti_step', 'train'),
    ('davis', 'davis', 'train'),
  ],
)
def test_real_pieces_are_drawn_and_counted(
  tmp_path, capsys, name, piece, split
):
  root = shared.path('data', piece)
  config = loading.load(f'{name}_small')
  config.data.train_split, config.data.dir = split, str(root)
  if name == 'coco_panoptic':
    pixels, instances = _counted_in_coco(root, split)
  else:
    prepare.prepare(name, str(root), str(tmp_path / 'data'))
    config.data.dir = str(tmp_path / 'data')
    counted = {'kitti_step': _counted_in_kitti_step, 'davis': _counted_in_davis}
    pixels, instances = counted[name](root)
  dataset = registry.create(config.data, split)
  examples = [
    {
      'label_map': dataset.example(i)['label_map'].numpy(),
      'num_dropped_segments': 0,
    }
    for i in tf.range(dataset.num_examples, dtype=tf.int64)
  ]
  found = inspection.statistics(examples, dataset.classes)
  np.testing.assert_array_equal(found['pixels'], pixels)
  np.testing.assert_array_equal(found['instances'][1:], instances[1:])
  assert found['segments'].sum() == instances[1:].sum()
  inspection.run(config, str(tmp_path / 'out'), count=3)
  assert 'segments per example' in capsys.readouterr().out
  with Image.open(tmp_path / 'out/train.png') as sheet:
    assert len(np.unique(np.asarray(sheet))) > 100
