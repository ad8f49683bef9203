"""Tests of scores and result files, without a network."""

import functools
import json

import numpy as np
import pytest
import tensorflow as tf
import tiny
import trees
from PIL import Image

from configs import base
from data import prepare, registry
from metrics import video_files
from panoptic import classes as classes_lib
from panoptic import decode, maps, png
from tasks import scorer, videos


def _task(tmp_path=None, metric='stq', **changes):
  config = tiny.experiment(
    task='video',
    evaluation__video=base.Video(metric=metric),
    **changes,
  )
  config.data.moving_shapes = base.MovingShapes(
    size=32, frames=6, eval_examples=4, min_objects=3
  )
  if config.data.name == 'shapes':
    config.data.name = 'moving_shapes'
  return videos.VideoTask(config, str(tmp_path or ''))


def _score(task, change=lambda label_map, t: label_map):
  """Scores changed ground truth."""
  dataset, scores = task.eval_set, task.new_scorer()
  for number, indices in enumerate(dataset.sequences.values()):
    for t, index in enumerate(indices):
      truth = dataset.example(tf.constant(index, tf.int64))['label_map'].numpy()
      scores.update(
        {
          'label_map': change(truth, t)[None],
          'image_id': np.array([dataset.image_ids[index]]),
          'original_size': np.array([truth.shape[:2]]),
          'resized_size': np.array([task.config.model.image_size]),
          'sequence': np.array([number]),
          'frame': np.array([t]),
        }
      )
  return scores.result()


def _renumbered(label_map, t):
  """Other ids in each frame, in a row of frames never the same."""
  ids = label_map[..., 1]
  return np.stack([label_map[..., 0], np.where(ids, ids + 9 * t, 0)], -1)


def test_perfect_videos_score_100_whatever_the_ids():
  task = _task()
  scores = _score(task)
  for name in ('STQ', 'AQ', 'SQ', 'VPQ', 'VPQ_things', 'VPQ_stuff', 'VPQ_4'):
    assert scores[name] == pytest.approx(100)
  assert scores['frames'] == 24
  permuted = _score(
    task, lambda x, t: np.stack([x[..., 0], (5 * x[..., 1]) % 101], -1)
  )
  assert permuted == scores


def test_ids_that_do_not_persist_cost_aq_and_vpq_alone():
  scores = _score(_task(), _renumbered)
  assert scores['SQ'] == pytest.approx(100)
  assert scores['AQ'] < 50
  # Stuff has no ids in scores.
  assert scores['VPQ_stuff'] == pytest.approx(100)
  assert scores['VPQ_1'] == pytest.approx(100)
  assert scores['VPQ_4'] < scores['VPQ_2'] < 90


@pytest.mark.slow
def test_perfect_videos_by_class_and_id():
  by_id = _score(_task())
  assert _score(_task(evaluation__segments_by='class_and_id')) == by_id


@pytest.mark.parametrize('segments_by', ['id', 'class_and_id'])
def test_ids_of_two_chunks_of_a_video_are_two_objects(tmp_path, segments_by):
  task = _task(
    evaluation__write_results=True,
    evaluation__segments_by=segments_by,
    tmp_path=tmp_path,
  )
  whole, read = (
    _score(task),
    functools.partial(png.read_ids, encoding=png.KITTI_STEP),
  )
  names = sorted(tmp_path.rglob('*.png'))
  before = [read(name) for name in names]
  task.config.evaluation.video.max_frames = 3
  chunks = _score(task)
  assert whole['AQ'] == pytest.approx(100)
  # A tube that is found in two halves has half the association.
  assert 40 < chunks['AQ'] < 90
  assert chunks['SQ'] == whole['SQ'] and chunks['VPQ_1'] == whole['VPQ_1']
  assert chunks['VPQ_2'] < 100
  for t, (name, one) in enumerate(zip(names, before, strict=True)):
    assert np.array_equal(read(name), one) == (t % 6 < 3)


def test_result_files_hold_contiguous_classes(tmp_path):
  categories = [
    classes_lib.Category(300, 'road', False, (1, 2, 3)),
    classes_lib.Category(7000, 'car', True, (4, 5, 6)),
  ]
  prediction = maps.PanopticMap(
    np.array([[0, 1, 2]]), [maps.Segment(1, 300), maps.Segment(2, 7000)]
  )
  path = str(tmp_path / 'map.png')
  writer = registry.get('kitti_step').result_writer(
    str(tmp_path), classes_lib.ClassTable(categories)
  )
  writer.add(1, 'map.png', prediction)
  pixels = np.array(Image.open(path))
  np.testing.assert_array_equal(pixels[0], [[255, 0, 0], [0, 0, 0], [1, 0, 2]])


def test_scores_by_class_are_written_and_printed(tmp_path, capsys):
  scores = _score(_task(tmp_path))
  content = json.loads((tmp_path / 'per_class.json').read_text())
  assert content['scores'] == scores
  counted = [row['PQ'] for row in content['classes'] if row['counted']]
  assert np.mean(counted) == pytest.approx(scores['VPQ'])
  told = capsys.readouterr().out
  assert f'The table is in {tmp_path}/per_class.json' in told
  # Several runs write one each, and print none; other processes do neither.
  _score(_task(tmp_path, evaluation__runs=2))
  assert (tmp_path / 'run-00/per_class.json').exists()
  _score(_task())
  assert not capsys.readouterr().out
  assert sorted(path.name for path in tmp_path.iterdir()) == [
    'per_class.json',
    'run-00',
  ]


def test_nothing_predicted_scores_0():
  scores = _score(_task(), lambda x, t: np.zeros_like(x))
  assert scores['STQ'] == scores['VPQ'] == 0


def _prepared(tmp_path, name, **changes):
  official = tmp_path / 'official'
  if name == 'kitti_step':
    trees.kitti_step(official, 'train')
    trees.kitti_step(official, 'val', (2, 3))
  else:
    trees.davis(official)
  prepare.prepare(name, str(official), str(tmp_path))
  data = {'name': name, 'dir': str(tmp_path)}
  return official, _task(
    tmp_path / 'results',
    evaluation__write_results=True,
    **{f'data__{key}': value for key, value in data.items()},
    data__eval_split='val',
    **changes,
  )


def test_files_of_kitti_step_have_the_same_scores(tmp_path):
  official, task = _prepared(
    tmp_path, 'kitti_step', model__num_classes=20, model__bits=8
  )
  scores = _score(task, lambda x, t: np.roll(x, 2 + t, axis=1))
  found = video_files.score(
    'kitti_step', official / 'panoptic_maps' / 'val', tmp_path / 'results'
  )
  assert 20 < scores['STQ'] < 95
  for name in ('STQ', 'AQ', 'SQ'):
    assert scores[name] == pytest.approx(100 * found['STQ'][name])
  assert scores['VPQ'] == pytest.approx(100 * found['VPQ']['VPQ']['All'])


def test_files_of_davis_have_the_same_scores(tmp_path):
  official, task = _prepared(
    tmp_path, 'davis', metric='j_and_f', model__num_classes=1
  )
  assert task.metric == 'J_and_F'

  def late(x, t):
    x = np.roll(x, 2 + t, axis=1) * [0, 1]
    x[-len(x) // 8 :, :, 1] = 1  # Void for the most part, which excuses it.
    return x

  scores = _score(task, late)
  found = video_files.score(
    'davis_unsupervised',
    official / 'Annotations' / '480p',
    tmp_path / 'results',
    ['camel'],
  )['J&F']['global']
  assert 20 < scores['J_and_F'] < 95
  assert scores['J_and_F'] == pytest.approx(100 * found['J&F-Mean'])
  assert scores['F_Recall'] == pytest.approx(100 * found['F-Recall'])
  assert scores['objects'] == 2


def test_prediction_is_cut_and_resized_to_the_image():
  config = tiny.experiment()
  classes = registry.create(config.data, 'validation').classes
  # The right half of the 32x32 input is padding; the map is 16x16.
  label_map = np.zeros([16, 16, 2], np.int32)
  label_map[:8, :8] = 1, 3
  label_map[8:, :8] = 4, 2
  label_map[:, 8:] = 5, 6
  segment_ids, found, _ = decode.decode(
    label_map, (32, 16), (40, 20), scorer.rule(config), classes
  )
  assert segment_ids.shape == (40, 20)
  assert np.all(segment_ids[:20] == 3) and np.all(segment_ids[20:] == 2)
  assert {s.id: s.category_id for s in found} == {3: 1, 2: 4}


def test_classes_that_the_data_do_not_have_are_void():
  config = tiny.experiment(model__num_classes=12)
  classes = classes_lib.ClassTable(
    [classes_lib.Category(4, 'cup', True, (1, 2, 3))]
  )
  label_map = np.zeros([16, 16, 2], np.int32)
  label_map[:8] = 1, 1
  label_map[8:] = 11, 2
  segment_ids, found, _ = decode.decode(
    label_map, (32, 32), (16, 16), scorer.rule(config), classes
  )
  assert [s.category_id for s in found] == [4]
  assert not segment_ids[8:].any()


def test_without_classes_an_id_is_an_object():
  config = tiny.experiment(model__num_classes=1)
  classes = classes_lib.ClassTable(
    [classes_lib.Category(4, 'thing', True, (1, 2, 3))]
  )
  label_map = np.zeros([16, 16, 2], np.int32)
  label_map[:8, :, 1] = 3
  segment_ids, found, _ = decode.decode(
    label_map, (32, 32), (16, 16), scorer.rule(config), classes
  )
  np.testing.assert_array_equal(segment_ids, label_map[..., 1])
  assert [(s.id, s.category_id) for s in found] == [(3, 4)]


def test_ids_that_a_palette_cannot_hold(tmp_path):
  spec = registry.get('davis')
  writer = spec.result_writer(str(tmp_path), spec.classes)
  prediction = maps.PanopticMap(np.array([[0, 256]]), [maps.Segment(256, 1)])
  with pytest.raises(ValueError, match='ids run from 0 to 256, .* renumber'):
    writer.add(1, 'mask.png', prediction)
