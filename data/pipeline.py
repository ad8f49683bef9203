"""From a data set to batches, the same ones however often a run is resumed.

`dataset.Dataset` says what a data set is; `clips` makes batches of videos.

Which example a place in the stream holds, how it is augmented and noised,
depends on nothing but the training's seed and that place.
"""

from typing import Callable, Dict, Optional, Sequence

import numpy as np
import tensorflow as tf

from configs import base
from data import dataset, instance_ids, transforms
from data.reading import byte_ranges

# What a stream of random numbers is for.
_PURPOSES = 5
_ORDER, _AUGMENTATION, _INSTANCE_IDS, _WITHHELD, _LOSS = range(_PURPOSES)


def train_dataset(
  dataset: dataset.Dataset,
  config: base.Experiment,
  start_step: int = 0,
  input_context: Optional[tf.distribute.InputContext] = None,
) -> tf.data.Dataset:
  """Endless training batches from step `start_step` on.

  Every epoch visits each example once, in an order of its own. To start at a
  later step costs nothing. With several workers, each takes its slice of the
  same global batches. With `data.service` every batch still comes once, but
  two or more workers of the service may deliver them in another order.

  Args:
    dataset: What to read or render.
    config: The experiment.
    start_step: Batches to leave out.
    input_context: The worker's place; None: the only one.

  Returns:
    Batches of the worker's share b of the global batch: 'image' float32
    `[b, H, W, 3]` in [0, 1]; 'label_map' int32 `[b, h, w, 2]`, class and
    instance id; 'seed' int64 `[b, 2]`, of what the loss draws; 'dropped' int32
    `[b]`, how many segments are void because there were more of them than ids.

  Raises:
    ValueError: If the batch cannot be shared among the workers.
  """

  def transform(counter, example):
    image, label_map = transforms.train_transform(
      example['image'],
      example['label_map'],
      augmentation_seed(config, counter),
      config.model.image_size,
      config.model.mask_size,
      config.data.augmentation,
    )
    return {'image': image, 'label_map': label_map, 'counter': counter}

  def render(counters):
    scenes = dataset.scenes(tf.map_fn(place, counters))
    spec = {
      'image': tf.TensorSpec([*config.model.image_size, 3], tf.float32),
      'label_map': tf.TensorSpec([*config.model.mask_size, 2], tf.int32),
      'counter': tf.TensorSpec([], tf.int64),
    }
    return tf.map_fn(
      lambda pair: transform(*pair),
      (counters, scenes),
      fn_output_signature=spec,
    )

  def read(counter):
    index = place(counter)
    seed = augmentation_seed(config, counter)
    image, geometry = read_augmented(dataset, config, index, seed)
    label_map = read_labels(dataset, config, index, geometry)
    return {'image': image, 'label_map': label_map, 'counter': counter}

  place = shuffled(dataset, config)
  batches = training_batches(
    config,
    start_step,
    input_context,
    render if dataset.batched else None,
    read,
  )
  return finish(
    batches.map(
      lambda batch: draw_ids(batch, config),
      num_parallel_calls=tf.data.AUTOTUNE,
    ),
    config.data.service,
  )


def eval_dataset(
  dataset: dataset.Dataset,
  config: base.Experiment,
  input_context: Optional[tf.distribute.InputContext] = None,
) -> tf.data.Dataset:
  """Every example once, in order; the last batch is filled up.

  With several workers, each takes its slice of the same global batches, so all
  see the same number of them.

  Args:
    dataset: What to read or render.
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
  limit = config.data.eval_examples
  count = dataset.num_examples
  count = count if limit is None else min(limit, count)
  order = np.arange(count)
  filler = np.full(-count % config.evaluation.batch_size, -1)
  order = np.concatenate([order, filler])
  order = order.reshape(-1, config.evaluation.batch_size)
  return eval_in_order(dataset, config, order, input_context)


def eval_in_order(
  dataset: dataset.Dataset,
  config: base.Experiment,
  order: np.ndarray,
  input_context: Optional[tf.distribute.InputContext] = None,
) -> tf.data.Dataset:
  """As `eval_dataset`, in an order that is given.

  Args:
    dataset: What to read or render.
    config: The experiment.
    order: integers `[steps, evaluation.batch_size]`, the index of each
      example; -1 for what only fills up.
    input_context: The worker's place; None: the only one.
  """
  batch_size = config.evaluation.batch_size
  share, first = _share(batch_size, input_context, 'evaluation.batch_size')
  image_size = config.model.image_size

  def answer(index, image, unpadded_size, original_size, image_id):
    valid = index >= 0
    return {
      'image': image,
      'image_id': tf.where(valid, image_id, -1),
      'index': index,
      'valid': valid,
      'original_size': original_size,
      'unpadded_size': unpadded_size,
    }

  def transform(index, scene):
    image, unpadded_size = transforms.eval_transform(scene['image'], image_size)
    size = tf.shape(scene['image'])[:2]
    return answer(index, image, unpadded_size, size, scene['image_id'])

  def render(indices):
    spec = {
      'image': tf.TensorSpec([*image_size, 3], tf.float32),
      'image_id': tf.TensorSpec([], tf.int64),
      'index': tf.TensorSpec([], tf.int64),
      'valid': tf.TensorSpec([], tf.bool),
      'original_size': tf.TensorSpec([2], tf.int32),
      'unpadded_size': tf.TensorSpec([2], tf.int32),
    }
    scenes = dataset.scenes(tf.maximum(indices, 0))
    return tf.map_fn(
      lambda pair: transform(*pair), (indices, scenes), fn_output_signature=spec
    )

  def read(index):
    source = dataset.encoded_image(tf.maximum(index, 0))
    size = source['size']
    geometry = transforms.eval_geometry(size, image_size)
    window = tf.concat([[0, 0], size], axis=0)
    part = byte_ranges.decode_window(source['image'], window)
    image = transforms.place_image(part, window, geometry, image_size)
    return answer(index, image, geometry.crop, size, source['image_id'])

  order = tf.constant(order[:, first : first + share], tf.int64)
  keys = tf.data.Dataset.from_tensor_slices(order)
  return finish(_load(keys, render if dataset.batched else None, read))


def shuffled(dataset: dataset.Dataset, config: base.Experiment) -> Callable:
  """Maps a place in the stream of training to the index of its example."""

  def place(counter):
    epoch = counter // dataset.num_examples
    return tf.random.experimental.index_shuffle(
      counter % dataset.num_examples,
      seed=_seed(config.training.seed, _ORDER, epoch),
      max_index=tf.constant(dataset.num_examples - 1, tf.int64),
    )

  return place


def augmentation_seed(config: base.Experiment, counter: tf.Tensor) -> tf.Tensor:
  """int64 `[2]`: the seed of a place's augmentation."""
  return _seed(config.training.seed, _AUGMENTATION, counter)


def withheld_seed(config: base.Experiment, counter: tf.Tensor) -> tf.Tensor:
  """int64 `[..., 2]`: the seed that decides on a place's past masks."""
  return _seed(config.training.seed, _WITHHELD, counter)


def read_augmented(dataset: dataset.Read, config: base.Experiment, index, seed):
  """Reads and augments a picture, of which it decodes what the crop shows.

  Returns:
    float32 `[H, W, 3]` in [0, 1], and its `transforms.Geometry`.
  """
  source = dataset.encoded_image(index)
  image_size, augmentation = config.model.image_size, config.data.augmentation
  place_seed, color_seed = transforms.split_seed(seed)
  geometry = transforms.train_geometry(
    source['size'], place_seed, image_size, augmentation
  )
  window = transforms.source_window(geometry)
  part = byte_ranges.decode_window(source['image'], window)
  image = transforms.place_image(
    part, window, geometry, image_size, color_seed, augmentation.color_jitter
  )
  return image, geometry


def read_labels(
  dataset: dataset.Read, config: base.Experiment, index, geometry
) -> tf.Tensor:
  """Reads a label map: int32 `[h, w, 2]`, class and number.

  The pixels of the mask are taken from the file's before their meaning is
  looked up, as there are far fewer of them.
  """
  pixels, inside = transforms.place_labels(
    dataset.label_pixels(index),
    geometry,
    config.model.image_size,
    config.model.mask_size,
  )
  label_map = dataset.label_map(pixels, index)
  label_map = tf.ensure_shape(label_map, [*config.model.mask_size, 2])
  return transforms.void_outside(label_map, inside)


def training_batches(
  config: base.Experiment, start_step: int, input_context, render, read
) -> tf.data.Dataset:
  """Batches of what `render` makes of int64 `[b]` places, or `read` of one."""
  batch_size = config.training.batch_size
  share, first = _share(batch_size, input_context, 'training.batch_size')
  # A range, not a counter: a tf.data service can share it out.
  places = tf.data.Dataset.range(start_step, tf.int64.max // batch_size).map(
    lambda step: step * batch_size + first + tf.range(share, dtype=tf.int64)
  )
  return _load(places, render, read)


def draw_ids(
  batch: Dict[str, tf.Tensor], config: base.Experiment
) -> Dict[str, tf.Tensor]:
  """Draws each example's ids, and seeds its loss; 'counter' is its place."""
  label_map, dropped = instance_ids.draw_instance_ids(
    batch['label_map'],
    config.model.max_instances,
    _seed(config.training.seed, _INSTANCE_IDS, batch['counter']),
  )
  # Replicas share a batch out by its size, which must be known.
  return {
    'image': batch['image'],
    'label_map': tf.ensure_shape(label_map, batch['label_map'].shape),
    'seed': _seed(config.training.seed, _LOSS, batch['counter']),
    'dropped': tf.ensure_shape(dropped, batch['counter'].shape),
  }


def finish(batches: tf.data.Dataset, service: str = '') -> tf.data.Dataset:
  """Prefetches, and lets a tf.data service prepare the batches if asked to."""
  if service:
    # A batch goes to one worker of the service, so that each comes once.
    batches = batches.apply(
      tf.data.experimental.service.distribute(
        tf.data.experimental.service.ShardingPolicy.DYNAMIC, service
      )
    )
  options = tf.data.Options()
  options.deterministic = True
  return batches.prefetch(tf.data.AUTOTUNE).with_options(options)


def _load(keys: tf.data.Dataset, render, read) -> tf.data.Dataset:
  """Turns batches of int64 keys `[b]` into batches of examples."""
  if render is not None:
    return keys.map(render, num_parallel_calls=tf.data.AUTOTUNE)
  examples = keys.unbatch().map(read, num_parallel_calls=tf.data.AUTOTUNE)
  return examples.batch(keys.element_spec.shape[0], drop_remainder=True)


def _share(batch_size: int, input_context, name: str) -> Sequence[int]:
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
  stream = tf.fill(
    tf.shape(counter), tf.constant(seed * _PURPOSES + purpose, tf.int64)
  )
  return tf.stack([stream, counter], axis=-1)
