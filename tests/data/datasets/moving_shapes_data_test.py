"""Tests of the procedural videos."""

import numpy as np
import pytest
import tensorflow as tf

from configs import base
from data import geometry, pipeline, registry, transforms
from data.datasets import moving_shapes


def _videos(split='validation', **changes):
  config = base.MovingShapes(size=32, frames=6, eval_examples=20, **changes)
  return moving_shapes.MovingShapes(config, split)


def _frames(dataset, count):
  scenes = dataset.scenes(tf.range(count, dtype=tf.int64))
  return {name: value.numpy() for name, value in scenes.items()}


def test_videos_follow_the_protocol():
  dataset = _videos()
  assert dataset.num_examples == 120
  assert list(dataset.sequences)[:2] == ['000000', '000001']
  assert dataset.sequences['000001'] == range(6, 12)
  loaded = dataset.load(tf.constant([11], tf.int64))
  assert loaded['frame'].numpy().tolist() == [5]
  assert dataset.file_name(11) == '000001/00005.png'
  found = _frames(dataset, 12)
  assert found['image'].shape == (12, 32, 32, 3)
  assert found['label_map'].shape == (12, 32, 32, 2)
  truth = dataset.ground_truth(8)
  np.testing.assert_array_equal(
    truth.segment_ids, found['label_map'][8, ..., 1]
  )
  for segment in truth.segments:
    inside = truth.segment_ids == segment.id
    assert segment.area == inside.sum() > 0
    assert (found['label_map'][8][inside, 0] == segment.category_id).all()


def test_a_number_is_the_same_thing_in_all_frames():
  found = _frames(_videos(), 120)['label_map'].reshape(20, 6, 32 * 32, 2)
  for video in found:
    pairs = np.unique(video.reshape(-1, 2), axis=0)
    assert len(np.unique(pairs[:, 1])) == len(pairs)  # A class a number.


def test_objects_move_enter_leave_and_hide_each_other():
  dataset = _videos(min_objects=3, max_speed=0.12)
  config = dataset._config
  maps = _frames(dataset, 120)['label_map'].reshape(20, 6, 32, 32, 2)
  things = maps[..., 1] * (maps[..., 0] <= config.thing_classes)
  ground = np.where(maps[..., 0] > config.thing_classes, maps[..., 0], 0)
  entered = left = moved = met = 0
  for video, still in zip(things, ground, strict=True):
    for number in np.unique(video[video > 0]):
      seen = (video == number).any((1, 2))
      entered += not seen[0] and seen[-1]
      left += seen[0] and not seen[-1]
      columns = [np.nonzero(m == number)[1].mean() for m in video[seen]]
      moved += np.ptp(columns) > 2
    met += any(
      np.unique(np.stack([a, b])[:, (a > 0) & (b > 0) & (a != b)]).size
      for a, b in zip(video[:-1], video[1:], strict=True)
    )
    # The ground is the same where it is seen.
    both = (still[0] > 0) & (still[-1] > 0)
    np.testing.assert_array_equal(still[0][both], still[-1][both])
  assert entered > 1 and left > 1 and moved > 20 and met > 3


@pytest.mark.slow
def test_seed_and_split_make_the_videos():
  first = _frames(_videos(), 12)
  again = _frames(_videos(), 12)
  np.testing.assert_array_equal(first['image'], again['image'])
  for other in (_videos(seed=1), _videos(split='train')):
    assert np.any(first['image'] != _frames(other, 12)['image'])


def test_past_masks_are_those_of_earlier_frames():
  dataset = _videos()
  frames = _frames(dataset, 12)
  loaded = dataset.load(tf.constant([0, 1, 5, 8], tf.int64), (-2, -1))
  np.testing.assert_array_equal(loaded['image'], frames['image'][[0, 1, 5, 8]])
  for row, index in enumerate([0, 1, 5, 8]):
    example = dataset.lazy_example(
      tf.nest.map_structure(lambda batch, row=row: batch[row], loaded)
    )
    whole = geometry.fit(example.size, (32, 32))
    maps = transforms.apply_segmentation(
      example, whole, (32, 32), (32, 32), (-2, -1)
    ).numpy()
    for label_map, offset in zip(maps, (-2, -1, 0), strict=True):
      if index % 6 + offset < 0:
        assert not label_map.any()
      else:
        expected = frames['label_map'][index + offset]
        np.testing.assert_array_equal(label_map, expected)


@pytest.mark.slow
def test_training_clips():
  config = base.Experiment()
  config.data.name, config.data.past_frames = 'moving_shapes', (-3, -1)
  config.data.moving_shapes = base.MovingShapes(size=32, frames=6)
  config.data.augmentation.past_mask_dropout = 0.5
  config.model.image_size, config.model.mask_size = (32, 32), (16, 16)
  config.model.max_instances, config.model.past_masks = 16, 2
  config.training.batch_size = 8
  dataset = registry.create(config.data, 'train')
  (batch, *_) = batches = list(pipeline.train_dataset(dataset, config).take(12))
  assert batch['image'].shape == (8, 32, 32, 3)
  assert batch['past_masks'].shape == (8, 16, 16, 4)
  past = np.concatenate([b['past_masks'] for b in batches])
  maps = np.concatenate([b['label_map'] for b in batches])
  withheld = ~past.reshape(-1, 256, 2, 2).any((1, 3))
  # Before the first frame: 3/6 and 1/6; of the rest one half.
  assert 0.6 < withheld[:, 0].mean() < 0.9
  assert 0.4 < withheld[:, 1].mean() < 0.75
  assert not np.all(withheld[:, 0] == withheld[:, 1])
  same = total = 0
  for now, before, no in zip(maps, past[..., 2:], withheld[:, 1], strict=True):
    rows = np.concatenate([now, before]).reshape(-1, 2)
    pairs = np.unique(rows, axis=0)
    assert len(np.unique(pairs[:, 1])) == len(pairs)
    if not no:
      same += np.all(now == before, axis=-1).sum()
      total += now[..., 0].size
  assert 0.7 < same / total < 0.99


@pytest.mark.parametrize(
  ('changes', 'sentence'),
  [
    ({'frames': 0}, 'MovingShapes.frames is 0; it must be between 1'),
    ({'min_speed': 0.5}, 'min_speed is 0.5; it must be from 0.0 to 0.08'),
    ({'max_spin': 1.0}, 'max_spin is 1.0'),
    ({'size': 2}, 'MovingShapes.size is 2'),
  ],
)
def test_difficulty_out_of_range(changes, sentence):
  with pytest.raises(ValueError, match=sentence):
    moving_shapes.MovingShapes(base.MovingShapes(**changes), 'train')


def test_split_that_is_not_there():
  with pytest.raises(ValueError, match="moving_shapes has no split 'test'"):
    _videos(split='test')
