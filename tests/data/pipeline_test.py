"""Tests of the input pipelines: order, resuming, workers and padding."""

import numpy as np
import pytest
import tensorflow as tf

from configs import base
from data import dataset as dataset_lib
from data import pipeline
from data.datasets import shapes


class Numbered:
  """Images of different sizes whose colour is their index."""

  sequences = {}
  parallel_reads = 4

  def __init__(self, num_examples):
    self.num_examples = num_examples
    self.image_ids = range(1000, 1000 + num_examples)

  def load(self, indices, past_frames=()):
    assert not past_frames
    return indices

  def read(self, loaded, past_frames=None):
    return loaded

  def lazy_example(self, index):
    size = tf.cast(tf.stack([12 + index % 3, 20]), tf.int32)
    image = tf.fill(tf.concat([size, [3]], 0), tf.cast(index, tf.uint8))
    label_map = tf.ones(tf.concat([size, [2]], 0), tf.int32)
    return dataset_lib.DecodedExample(image, {0: label_map})


def _experiment(batch_size=4):
  config = base.Experiment()
  config.model.image_size = (16, 24)
  config.model.mask_size = (8, 12)
  config.model.max_instances = 9
  config.training.batch_size = batch_size
  config.evaluation.batch_size = batch_size
  return config


def _shapes():
  config = _experiment()
  config.model.image_size = (32, 32)
  config.model.mask_size = (16, 16)
  config.data.augmentation.scale_jitter = (0.8, 1.5)
  config.data.augmentation.color_jitter = 0.5
  config.data.shapes = base.Shapes(size=32, train_examples=10)
  return shapes.Shapes(config.data.shapes, 'train'), config


def _take(dataset, count):
  return [
    {name: value.numpy() for name, value in batch.items()}
    for batch in dataset.take(count)
  ]


def _assert_equal(batches, others):
  assert len(batches) == len(others)
  for batch, other in zip(batches, others, strict=True):
    assert batch.keys() == other.keys()
    for name, value in batch.items():
      np.testing.assert_array_equal(value, other[name])


def _indices(batches):
  """Which images of `Numbered` the training batches hold."""
  pixels = [batch['image'][:, 0, 0, 0] for batch in batches]
  return np.concatenate(pixels).tolist()


def test_an_order_of_examples_is_kept_again_and_again():
  config = _experiment(batch_size=2)
  batches = pipeline.train_dataset(Numbered(9), config, order=[7, 2, 5])
  assert _indices(_take(batches, 3)) == [7, 2, 5, 7, 2, 5]


@pytest.mark.slow
def test_training_elements():
  dataset, config = _shapes()
  (batch,) = _take(pipeline.train_dataset(dataset, config), 1)
  assert batch['image'].shape == (4, 32, 32, 3)
  assert batch['image'].dtype == np.uint8
  assert batch['image'].min() < 50 and batch['image'].max() > 200
  assert batch['label_map'].shape == (4, 16, 16, 2)
  assert batch['label_map'].dtype == np.int32
  assert 1 < batch['label_map'][..., 1].max() < 9
  spec = pipeline.train_dataset(dataset, config).element_spec
  assert spec['image'].shape == (4, 32, 32, 3)
  assert spec['label_map'].shape == (4, 16, 16, 2)


@pytest.mark.parametrize(
  'make', [_shapes, lambda: (Numbered(5), _experiment())]
)
def test_resuming_gives_the_same_batches(make):
  dataset, config = make()
  straight = _take(pipeline.train_dataset(dataset, config), 5)
  resumed = _take(pipeline.train_dataset(dataset, config, start_step=3), 2)
  _assert_equal(straight[3:], resumed)


def test_resuming_far_away_is_immediate():
  dataset, config = _shapes()
  batches = pipeline.train_dataset(dataset, config, start_step=10**12)
  assert len(_take(batches, 1)) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
  'make', [_shapes, lambda: (Numbered(5), _experiment())]
)
def test_workers_share_the_same_global_batches(make):
  dataset, config = make()
  for build in (pipeline.train_dataset, pipeline.eval_dataset):
    whole = _take(build(dataset, config), 2)
    parts = []
    for worker in range(2):
      context = tf.distribute.InputContext(2, worker, 2)
      share = build(dataset, config, input_context=context)
      parts.append(_take(share, 2))
    joined = [
      {k: np.concatenate([first[k], second[k]]) for k in first}
      for first, second in zip(*parts, strict=True)
    ]
    _assert_equal(whole, joined)


def test_each_epoch_is_an_order_of_its_own():
  config = _experiment(batch_size=7)
  batches = _take(pipeline.train_dataset(Numbered(21), config), 9)
  indices = _indices(batches)
  epochs = [indices[:21], indices[21:42], indices[42:]]
  for epoch in epochs:
    assert sorted(epoch) == list(range(21))
  assert epochs[0] != epochs[1] != epochs[2]
  config.training.seed = 1
  other = _indices(_take(pipeline.train_dataset(Numbered(21), config), 3))
  assert sorted(other) == list(range(21)) and other != epochs[0]


def test_an_example_is_not_augmented_alike_twice():
  dataset, config = _shapes()
  config.data.shapes.train_examples = 1
  dataset = shapes.Shapes(config.data.shapes, 'train')
  (batch,) = _take(pipeline.train_dataset(dataset, config), 1)
  assert len({image.tobytes() for image in batch['image']}) == 4
  assert len({labels.tobytes() for labels in batch['label_map']}) > 2


def test_every_position_has_a_seed_of_its_own_for_every_purpose():
  dataset, config = Numbered(5), _experiment()
  positions = tf.range(12, dtype=tf.int64)
  seeds, of_loss = [], []
  for training_seed in (0, 1):
    config.training.seed = training_seed
    for batch in _take(pipeline.train_dataset(dataset, config), 3):
      assert batch['seed'].dtype == np.int64
      of_loss += map(tuple, batch['seed'].tolist())
    for purpose in range(pipeline._PURPOSES):
      key = pipeline._seed(training_seed, purpose, positions)
      seeds += map(tuple, key.numpy().tolist())
  assert len(seeds) == len(set(seeds)) == 2 * pipeline._PURPOSES * 12
  assert len(set(of_loss)) == 2 * 12 and set(of_loss) < set(seeds)


@pytest.mark.parametrize('count', [1, 8, 9])
@pytest.mark.parametrize('workers', [1, 2])
def test_evaluation_sees_every_example_once(count, workers):
  config = _experiment()
  seen, lengths = [], []
  for worker in range(workers):
    context = tf.distribute.InputContext(workers, worker, workers)
    batches = list(pipeline.eval_dataset(Numbered(count), config, context))
    lengths.append(len(batches))
    for batch in batches:
      batch = {name: value.numpy() for name, value in batch.items()}
      valid = batch['valid']
      assert len(valid) == 4 // workers
      assert (batch['index'][~valid] == -1).all()
      assert (batch['image_id'][~valid] == -1).all()
      index = batch['index'][valid]
      np.testing.assert_array_equal(batch['image_id'][valid], 1000 + index)
      height = 12 + index % 3
      np.testing.assert_array_equal(
        batch['original_size'][valid], np.stack([height, height * 0 + 20], 1)
      )
      for image, size, i in zip(
        batch['image'][valid], batch['resized_size'][valid], index, strict=True
      ):
        content = image[: size[0], : size[1]]
        np.testing.assert_array_equal(content, i)
      seen += index.tolist()
  assert set(lengths) == {-(-count // 4)}
  assert sorted(seen) == list(range(count))


def test_iterators_are_deleted_without_a_wait_for_what_tunes_them():
  dataset, config = _shapes()
  for make in (pipeline.train_dataset, pipeline.eval_dataset):
    assert make(dataset, config).options().autotune.enabled is False


def test_evaluation_stops_at_the_limit():
  config = _experiment()
  config.data.eval_examples = 5
  batches = _take(pipeline.eval_dataset(Numbered(9), config), 9)
  valid = np.concatenate([batch['valid'] for batch in batches])
  assert valid.tolist() == [True] * 5 + [False] * 3


def test_uneven_shares_are_refused():
  config = _experiment(batch_size=5)
  context = tf.distribute.InputContext(2, 0, 2)
  with pytest.raises(ValueError, match='training.batch_size is 5'):
    pipeline.train_dataset(Numbered(9), config, input_context=context)
  with pytest.raises(ValueError, match='evaluation.batch_size is 5'):
    pipeline.eval_dataset(Numbered(9), config, input_context=context)


def test_a_service_delivers_every_batch_once():
  """Two workers of a tf.data service share the batches of a stream."""
  service = tf.data.experimental.service
  dispatcher = service.DispatchServer()
  address = dispatcher.target.split('://')[1]
  workers = [
    service.WorkerServer(service.WorkerConfig(dispatcher_address=address))
    for _ in range(2)
  ]
  config = _experiment(batch_size=7)
  plain = _take(pipeline.train_dataset(Numbered(21), config), 6)
  config.data.service = dispatcher.target
  served = _take(pipeline.train_dataset(Numbered(21), config), 40)
  keys = [batch['image'].tobytes() for batch in served]
  for batch in plain:
    assert keys.count(batch['image'].tobytes()) == 1
  del workers
