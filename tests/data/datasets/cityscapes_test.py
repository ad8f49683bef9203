"""Tests of Cityscapes, on a tiny tree, against the official conversion."""

import json

import numpy as np
import pytest
import trees
from PIL import Image

from configs import base
from data import prepare, registry
from data.datasets import cityscapes, kitti_step
from data.reading import spec
from metrics import panoptic_files, panoptic_quality
from panoptic import maps

labels_module = pytest.importorskip('cityscapesscripts.helpers.labels')


def _official(root, out):
  """Ground truth by the official conversion: its JSON."""
  from cityscapesscripts.preparation import createPanopticImgs

  out.mkdir()
  createPanopticImgs.convert2panoptic(
    str(root / 'gtFine'), str(out), False, ['val']
  )
  return json.loads((out / 'cityscapes_panoptic_val.json').read_text())


def _prepared(tmp_path):
  trees.cityscapes(tmp_path / 'official')
  prepare.prepare('cityscapes', str(tmp_path / 'official'), str(tmp_path))
  config = base.Data(name='cityscapes', source='tfds', dir=str(tmp_path))
  return registry.create(config, 'val')


def test_classes_are_the_official_ones():
  table = cityscapes.class_table()
  assert table.num_classes == 20
  official = {label.id: label for label in labels_module.labels}
  for train_id, category in enumerate(table.categories):
    label = official[category.id]
    assert label.trainId == train_id
    assert (label.name, label.color) == (category.name, category.color)
    assert label.hasInstances == category.isthing
    assert not label.ignoreInEval
  ignored = {key for key, label in official.items() if label.ignoreInEval}
  assert set(cityscapes.IGNORED) == ignored - {-1}


def test_classes_of_kitti_step_are_its_train_ids():
  categories = kitti_step.class_table().categories
  names = [category.name for category in cityscapes.class_table().categories]
  assert [category.name for category in categories] == names
  assert [category.id for category in categories] == list(range(1, 20))
  things = {c.name: c.id - 1 for c in categories if c.isthing}
  assert things == {'person': 11, 'car': 13}


def test_ground_truth_is_the_official_conversion(tmp_path):
  dataset = _prepared(tmp_path)
  official = _official(tmp_path / 'official', tmp_path / 'converted')
  categories = {c.id: c for c in dataset.classes.categories}
  assert len(official['annotations']) == dataset.num_examples == 2
  for category in official['categories']:
    assert categories[category['id']].isthing == bool(category['isthing'])
  for key, annotation in zip(
    dataset.image_ids, official['annotations'], strict=True
  ):
    assert dataset.file_name(key) == annotation['file_name']
    path = tmp_path / 'converted/cityscapes_panoptic_val'
    pixels = np.array(Image.open(path / annotation['file_name'])).astype(int)
    truth = dataset.ground_truth(key)
    np.testing.assert_array_equal(truth.segment_ids, pixels @ [1, 256, 65536])
    segments = map(maps.Segment.from_json, annotation['segments_info'])
    assert sorted(truth.segments) == list(segments)


@pytest.mark.parametrize('source', ['folder', 'tfds'])
def test_result_files_are_scored_as_they_are(tmp_path, source):
  """Predictions that are wrong in several ways, scored both ways."""
  from cityscapesscripts.evaluation import evalPanopticSemanticLabeling as tool

  dataset = _prepared(tmp_path)
  if source == 'folder':
    config = base.Data(name='cityscapes', dir=str(tmp_path / 'official'))
    dataset = registry.create(config, 'val')
  official = _official(tmp_path / 'official', tmp_path / 'converted')
  quality = panoptic_quality.PanopticQuality(dataset.classes.categories)
  with registry.get('cityscapes').result_writer(
    str(tmp_path / 'results'), dataset.classes
  ) as writer:
    for key in dataset.image_ids:
      truth = dataset.ground_truth(key)
      ids = np.roll(truth.segment_ids, 2, axis=1)
      ids[ids == 24] = 24001  # Persons in the group become one of them.
      ids[ids == 0] = 7
      predicted = maps.PanopticMap(
        ids,
        [
          maps.Segment(i, i if i < 1000 else i // 1000)
          for i in np.unique(ids).tolist()
        ],
      )
      quality.update(truth, predicted)
      writer.add(dataset.result_id(key), dataset.file_name(key), predicted)
  written = json.loads((tmp_path / 'results/panoptic.json').read_text())
  for ours, theirs in zip(
    written['annotations'], official['annotations'], strict=True
  ):
    for name in ('image_id', 'file_name'):
      assert ours[name] == theirs[name]
  truth = tmp_path / 'converted/cityscapes_panoptic_val'
  results = tmp_path / 'results/panoptic'
  expected = tool.evaluatePanoptic(
    f'{truth}.json',
    str(truth),
    f'{results}.json',
    str(results),
    str(tmp_path / 'official.json'),
  )
  found = panoptic_files.score(
    f'{truth}.json', truth, f'{results}.json', results
  )
  assert 0 < expected['All']['pq'] < 1
  for group in ('All', 'Things', 'Stuff'):
    for name in ('pq', 'sq', 'rq'):
      for result in (quality.details(), found):
        assert result[group][name] == pytest.approx(expected[group][name])


def test_records_of_earlier_versions_know_the_official_ids():
  features = {
    'image': [b''],
    'labels': [b''],
    'name': [b'aachen_000000_000010_gtFine_panoptic.png'],
    'image_id': [5],
    'sequence': [b''],
    'frame': [0],
  }
  (entry,) = cityscapes.SPEC.records.entries(features)
  assert entry.image_id == 5
  assert entry.result_id == 'aachen_000000_000010'
  (entry,) = spec.packed_entries(features)
  assert entry.image_id == 5 and entry.result_id is None


def test_training_sees_no_groups_and_nothing_ignored(tmp_path):
  dataset = _prepared(tmp_path)
  label_map = dataset.example(0)['label_map'].numpy()
  path = next((tmp_path / 'official/gtFine/val/aachen').iterdir())
  ids = np.array(Image.open(path)).astype(int)
  for void in (0, 1, 9, 24, 29000):
    assert not label_map[ids == void].any()
  for segment, name in ((7, 'road'), (24000, 'person'), (26003, 'car')):
    (row,) = np.unique(label_map[ids == segment], axis=0)
    assert dataset.classes.category(row[0]).name == name
    assert (label_map == row).all(-1).sum() == (ids == segment).sum()


@pytest.mark.parametrize('segment_id', [8000, 24, 24000, 7])
def test_every_label_is_understood(segment_id):
  (segment,) = cityscapes.find_segments(np.array([segment_id]), np.array([5]))
  label = segment_id if segment_id < 1000 else segment_id // 1000
  crowd = int(segment_id == 24)
  assert segment == maps.Segment(segment_id, label, crowd, 5)


def test_what_is_no_label_is_refused():
  with pytest.raises(ValueError, match='id 34 is no label of Cityscapes'):
    cityscapes.find_segments(np.array([34]), np.array([1]))
