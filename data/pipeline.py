"""From a data set to batches, the same ones however often a run is resumed.

A data set is an object with

*   `classes`: its `labels.ClassTable`;
*   `num_examples` and `image_ids`, in the order of evaluation;
*   `example(index)`: TF ops that give 'image' uint8 `[h0, w0, 3]`, 'label_map'
    int32 `[h0, w0, 2]` (class and number by area, largest first; void and
    crowd are 0) and 'image_id' int64 for an int64 scalar;
*   `batched`: whether it has `scenes(indices)`, which gives the same for int64
    `[B]` in one go;
*   `ground_truth(image_id)`, `image(image_id)` and `file_name(image_id)`: a
    `labels.GroundTruth`, a uint8 picture and a name, on the host.

Which example a place in the stream holds, and how it is augmented, depends on
nothing but the training's seed and that place.
"""

from typing import Optional

import tensorflow as tf

from configs import base
from data import labels, transforms

# What a stream of random numbers is for.
_ORDER, _AUGMENTATION, _INSTANCE_IDS = range(3)


def train_dataset(
  dataset,
  config: base.Experiment,
  start_step: int = 0,
  input_context: Optional[tf.distribute.InputContext] = None,
) -> tf.data.Dataset:
  """Endless training batches from step `start_step` on.

  Every epoch visits each example once, in an order of its own. To start at a
  later step costs nothing. With several workers, each takes its slice of the
  same global batches.

  Args:
    dataset: See above.
    config: The experiment.
    start_step: Batches to leave out.
    input_context: The worker's place; None: the only one.

  Returns:
    Batches of the worker's share b of the global batch: 'image' float32
    `[b, H, W, 3]` in [0, 1], 'label_map' int32 `[b, h, w, 2]`, class and
    instance id.

  Raises:
    ValueError: If the batch cannot be shared among the workers.
  """
  batch_size = config.training.batch_size
  share, first = _share(batch_size, input_context, 'training.batch_size')
  seed = config.training.seed

  def place(counter):
    epoch = counter // dataset.num_examples
    return tf.random.experimental.index_shuffle(
      counter % dataset.num_examples,
      seed=_seed(seed, _ORDER, epoch),
      max_index=tf.constant(dataset.num_examples - 1, tf.int64),
    )

  def transform(counter, example):
    image, label_map = transforms.train_transform(
      example['image'],
      example['label_map'],
      _seed(seed, _AUGMENTATION, counter),
      config.model.image_size,
      config.model.mask_size,
      config.data.augmentation,
    )
    return {'image': image, 'label_map': label_map, 'counter': counter}

  def draw_ids(batch):
    label_map, _ = labels.draw_instance_ids(
      batch['label_map'],
      config.model.max_instances,
      _seed(seed, _INSTANCE_IDS, batch['counter']),
    )
    return {'image': batch['image'], 'label_map': label_map}

  steps = tf.data.Dataset.counter(start_step)
  counters = steps.map(
    lambda step: step * batch_size + first + tf.range(share, dtype=tf.int64)
  )
  spec = {
    'image': tf.TensorSpec([*config.model.image_size, 3], tf.float32),
    'label_map': tf.TensorSpec([*config.model.mask_size, 2], tf.int32),
    'counter': tf.TensorSpec([], tf.int64),
  }
  batches = _load(dataset, counters, place, transform, spec)
  return _finish(batches.map(draw_ids, num_parallel_calls=tf.data.AUTOTUNE))


def eval_dataset(
  dataset,
  config: base.Experiment,
  input_context: Optional[tf.distribute.InputContext] = None,
) -> tf.data.Dataset:
  """Every example once, in order; the last batch is filled up.

  With several workers, each takes its slice of the same global batches, so all
  see the same number of them.

  Args:
    dataset: See above.
    config: The experiment; `data.eval_examples` limits the number.
    input_context: The worker's place; None: the only one.

  Returns:
    Batches of the worker's share b of the global batch: 'image' float32
    `[b, H, W, 3]` in [0, 1]; 'valid' bool `[b]`, False for what fills up;
    'index' and 'image_id' int64 `[b]`, -1 where not valid; 'original_size' and
    'unpadded_size' int32 `[b, 2]`, the latter the part of H, W that is picture.

  Raises:
    ValueError: If the batch cannot be shared among the workers.
  """
  batch_size = config.evaluation.batch_size
  share, first = _share(batch_size, input_context, 'evaluation.batch_size')
  limit = config.data.eval_examples
  count = dataset.num_examples
  count = count if limit is None else min(limit, count)

  def place(index):
    return tf.minimum(index, count - 1)

  def transform(index, example):
    image, unpadded_size = transforms.eval_transform(
      example['image'], config.model.image_size
    )
    valid = index < count
    return {
      'image': image,
      'image_id': tf.where(valid, example['image_id'], -1),
      'index': tf.where(valid, index, -1),
      'valid': valid,
      'original_size': tf.shape(example['image'])[:2],
      'unpadded_size': unpadded_size,
    }

  starts = tf.data.Dataset.range(0, count, batch_size)
  indices = starts.map(
    lambda start: start + first + tf.range(share, dtype=tf.int64)
  )
  spec = {
    'image': tf.TensorSpec([*config.model.image_size, 3], tf.float32),
    'image_id': tf.TensorSpec([], tf.int64),
    'index': tf.TensorSpec([], tf.int64),
    'valid': tf.TensorSpec([], tf.bool),
    'original_size': tf.TensorSpec([2], tf.int32),
    'unpadded_size': tf.TensorSpec([2], tf.int32),
  }
  return _finish(_load(dataset, indices, place, transform, spec))


def _load(dataset, keys, place, transform, spec) -> tf.data.Dataset:
  """Turns batches of keys into batches of examples.

  Args:
    dataset: The data set.
    keys: Data set of int64 `[b]`.
    place: Maps a key to the index of its example.
    transform: Maps a key and its example to what is wanted of them.
    spec: The types of the latter.
  """

  def load(key):
    return transform(key, dataset.example(place(key)))

  def load_batch(keys):
    scenes = dataset.scenes(tf.map_fn(place, keys))
    return tf.map_fn(
      lambda pair: transform(*pair), (keys, scenes), fn_output_signature=spec
    )

  if dataset.batched:
    return keys.map(load_batch, num_parallel_calls=tf.data.AUTOTUNE)
  examples = keys.unbatch().map(load, num_parallel_calls=tf.data.AUTOTUNE)
  return examples.batch(keys.element_spec.shape[0], drop_remainder=True)


def _finish(batches: tf.data.Dataset) -> tf.data.Dataset:
  options = tf.data.Options()
  options.deterministic = True
  return batches.prefetch(tf.data.AUTOTUNE).with_options(options)


def _share(batch_size: int, input_context, name: str):
  """A worker's part of a global batch: its size and where it starts."""
  if input_context is None:
    return batch_size, 0
  workers = input_context.num_input_pipelines
  if batch_size % workers:
    raise ValueError(
      f'{name} is {batch_size}, which {workers} workers cannot share evenly: '
      f'make it a multiple of {workers}'
    )
  share = batch_size // workers
  return share, share * input_context.input_pipeline_id


def _seed(seed: int, purpose: int, counter: tf.Tensor) -> tf.Tensor:
  """int64 `[..., 2]`: a key for the stateless operations."""
  stream = tf.fill(tf.shape(counter), tf.constant(seed * 4 + purpose, tf.int64))
  return tf.stack([stream, counter], axis=-1)
