"""Tests of batches of videos, on tiny sets in COCO's format."""

import numpy as np
import pytest
import tensorflow as tf
import trees

from configs import base
from data import pipeline, video_pipeline
from data.datasets import shapes


def _videos(tmp_path):
  """Two videos of three frames; segment 8 moves one column a frame."""
  trees.coco(tmp_path, count=6, videos=True)
  return trees.opened(tmp_path)


def _config(**augmentation):
  config = base.Experiment()
  config.model.image_size, config.model.mask_size = (24, 40), (24, 40)
  config.model.max_instances, config.model.past_masks = 12, 2
  config.training.batch_size = config.evaluation.batch_size = 2
  config.data.augmentation = base.Augmentation(
    **{'past_mask_dropout': 0.0, **augmentation}
  )
  return config


def _take(dataset, count):
  return [
    {name: value.numpy() for name, value in batch.items()}
    for batch in dataset.take(count)
  ]


def test_videos_are_frames_in_order(tmp_path):
  dataset = _videos(tmp_path)
  assert dataset.sequences == {'v0': range(0, 3), 'v1': range(3, 6)}
  assert dataset.file_name(dataset.image_ids[4]) == 'v1/00001.png'
  frames = [int(dataset.lazy_example(dataset.read(i)).frame) for i in range(6)]
  assert frames == [0, 1, 2, 0, 1, 2]
  maps = [
    dataset.example(tf.constant(i))['label_map'].numpy() for i in range(3)
  ]
  for t, label_map in enumerate(maps):
    # The same number in all frames, and the class of a person.
    (row,) = np.unique(label_map[5, 3 + t : 15 + t], axis=0)
    (again,) = np.unique(maps[0][5, 3:15], axis=0)
    np.testing.assert_array_equal(row, again)
    assert not label_map[21, 0].any()  # The crowd.


def test_a_clip_has_one_draw(tmp_path):
  dataset = _videos(tmp_path)
  config = _config(scale_jitter=(1.0, 1.5))
  present = absent = moved = 0
  for batch in _take(pipeline.train_dataset(dataset, config), 12):
    assert batch['label_map'].shape == (2, 24, 40, 2)
    assert batch['past_masks'].shape == (2, 24, 40, 4)
    assert batch['past_masks'].dtype == np.int32
    for now, past in zip(batch['label_map'], batch['past_masks'], strict=True):
      for before in (past[..., :2], past[..., 2:]):
        if not before.any():
          absent += 1
          continue
        present += 1
        # Only one person moves, by one or two columns: were scale, crop or
        # flip not the same, more would differ; so would it with other ids.
        changed = (before != now).any(-1)
        assert changed.mean() < 0.15
        moved += bool(changed.any())
        rows = np.concatenate([before, now]).reshape(-1, 2)
        pairs = np.unique(rows, axis=0)
        assert len(np.unique(pairs[:, 1])) == len(pairs)  # A class an id.
  assert present and absent and moved


def test_past_masks_are_the_frames_before(tmp_path):
  dataset = _videos(tmp_path)
  raw = [
    dataset.example(tf.constant(i))['label_map'].numpy()[..., 0]
    for i in range(6)
  ]
  seen = set()
  batches = _take(pipeline.train_dataset(dataset, _config(flip=False)), 6)
  for batch in batches:
    for now, past in zip(batch['label_map'], batch['past_masks'], strict=True):
      (index,) = (i for i in range(6) if (now[..., 0] == raw[i]).all())
      seen.add(index)
      for k, offset in enumerate((-2, -1)):
        if index % 3 + offset < 0:
          assert not past[..., 2 * k : 2 * k + 2].any()
        else:
          np.testing.assert_array_equal(past[..., 2 * k], raw[index + offset])
  assert seen == set(range(6))


@pytest.mark.slow
def test_resuming_and_workers(tmp_path):
  dataset, config = _videos(tmp_path), _config(scale_jitter=(0.8, 1.5))
  straight = _take(pipeline.train_dataset(dataset, config), 5)
  resumed = _take(pipeline.train_dataset(dataset, config, start_step=3), 2)
  parts = [
    _take(
      pipeline.train_dataset(
        dataset, config, 0, tf.distribute.InputContext(2, worker, 2)
      ),
      5,
    )
    for worker in range(2)
  ]
  for name in straight[0]:
    for a, b in zip(straight[3:], resumed, strict=True):
      np.testing.assert_array_equal(a[name], b[name])
    for whole, left, right in zip(straight, *parts, strict=True):
      joined = np.concatenate([left[name], right[name]])
      np.testing.assert_array_equal(whole[name], joined)


@pytest.mark.parametrize('workers', [1, 2])
def test_evaluation_streams_every_frame_once(tmp_path, workers):
  dataset, config = _videos(tmp_path), _config()
  seen = []
  for worker in range(workers):
    context = tf.distribute.InputContext(workers, worker, workers)
    batches = _take(video_pipeline.eval_dataset(dataset, config, context), 99)
    assert len(batches) == 3
    for row in range(2 // workers):
      indices = [int(batch['index'][row]) for batch in batches]
      starts = [bool(batch['is_first_frame'][row]) for batch in batches]
      assert indices in ([0, 1, 2], [3, 4, 5])
      assert starts == [True, False, False]
      seen += indices
  assert sorted(seen) == list(range(6))


def test_images_are_no_videos():
  config = base.Experiment()
  config.model.past_masks = 2
  dataset = shapes.Shapes(config.data.shapes, 'train')
  for make in (pipeline.train_dataset, video_pipeline.eval_dataset):
    with pytest.raises(ValueError, match='shapes has images, not videos'):
      make(dataset, config)


def test_frames_of_a_video_have_one_size(tmp_path):
  path = trees.coco(tmp_path, count=3, videos=True)
  path.write_text(path.read_text().replace('"width": 40', '"width": 41', 1))
  with pytest.raises(ValueError, match='v0 differ in size'):
    trees.opened(tmp_path)


@pytest.mark.slow
def test_frames_without_past_masks_are_images(tmp_path):
  dataset, config = _videos(tmp_path), _config()
  (clip,) = _take(pipeline.train_dataset(dataset, config), 1)
  config.model.past_masks = 0
  (image,) = _take(pipeline.train_dataset(dataset, config), 1)
  assert clip.keys() - image.keys() == {'past_masks'}
  np.testing.assert_array_equal(clip['image'], image['image'])
  np.testing.assert_array_equal(
    clip['label_map'][..., 0], image['label_map'][..., 0]
  )
