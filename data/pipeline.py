"""Batches of a data set, for training and evaluation.

The example at a position of the training stream, its augmentation and its noise
depend only on the training's seed and that position, so a resumed run gets the
same batches. An image is a video of one frame here, without past masks;
`video_pipeline` has the order in which videos are evaluated.
"""

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from configs import base
from data import dataset as dataset_lib
from data import instance_ids, transforms

# The purposes of random numbers; each has a stream of its own.
_PURPOSES = 5
_ORDER, _AUGMENTATION, _INSTANCE_IDS, _PAST_MASK_DROPOUT, _LOSS = range(
  _PURPOSES
)

_CORES = os.cpu_count() or 1
_PREFETCHED = 4  # Batches that wait for a step.


def train_dataset(
  dataset: dataset_lib.Dataset,
  config: base.Experiment,
  start_step: int = 0,
  input_context: tf.distribute.InputContext | None = None,
  order: Sequence[int] | None = None,
) -> tf.data.Dataset:
  """Endless training batches from step `start_step` on.

  Every epoch visits each image or frame once, in an order of its own. To start
  at a later step costs nothing. With several workers, each takes its slice of
  the same global batches. With `data.service` every batch still comes once, but
  two or more workers of the service may deliver them in another order.

  A frame and its past masks share one draw of scale, crop and flip, and one of
  instance ids. Each past mask is dropped, all void then, with the probability
  `data.augmentation.past_mask_dropout`.

  Args:
    dataset: The data set; one of videos where the model is given past masks.
    config: The experiment. `data.past_frames` are the offsets of P past masks,
      the oldest first, unless `model.past_masks` is 0.
    start_step: Batches to leave out.
    input_context: The worker's place; None: the only one.
    order: Indices of examples to visit, again and again; None: all, each epoch
      in an order of its own.

  Returns:
    Batches of the worker's share b of the global batch: 'image' uint8
    `[b, H, W, 3]`; 'label_map' int32 `[b, h, w, 2]`, class and
    instance id; 'seed' int64 `[b, 2]`, of the draws of the loss;
    'num_dropped_segments' int32 `[b]`, segments that are void because there
    were more of them than ids. With past masks also 'past_masks' int32
    `[b, h, w, 2 P]`, class and instance id of each past frame; void before the
    first frame of a video, and where past-mask dropout made it so.

  Raises:
    ValueError: If the data set has no videos but the model needs past masks, or
      if the batch cannot be shared among the workers.
  """
  past_frames = config.data.past_frames if config.model.past_masks else ()
  if past_frames:
    require_videos(dataset, config)
  batch_size = config.training.batch_size
  share, first = _share(batch_size, input_context, 'training.batch_size')
  seeds = functools.partial(_seed, config.training.seed)

  def shuffled_index(sample_index):
    epoch = sample_index // dataset.num_examples
    return tf.random.experimental.index_shuffle(
      sample_index % dataset.num_examples,
      seed=seeds(_ORDER, epoch),
      max_index=tf.constant(dataset.num_examples - 1, tf.int64),
    )

  def load(step):
    sample_index = step * batch_size + first + tf.range(share, dtype=tf.int64)
    if order is None:
      index = tf.map_fn(shuffled_index, sample_index)
    else:
      index = tf.gather(tf.constant(order, tf.int64), sample_index % len(order))
    return sample_index, dataset.load(index, past_frames)

  def read(sample_index, loaded):
    return sample_index, dataset.read(loaded, past_frames)

  def augment(sample_index, content):
    image, label_maps = transforms.train_transform(
      dataset.lazy_example(content),
      past_frames,
      seeds(_AUGMENTATION, sample_index),
      config,
    )
    return sample_index, image, label_maps

  def finish(sample_index, image, label_maps):
    shape = label_maps.shape  # [b, P + 1, h, w, 2]
    label_maps, num_dropped = instance_ids.draw_instance_ids(
      label_maps,
      config.model.max_instances,
      seeds(_INSTANCE_IDS, sample_index),
    )
    # Replicas share a batch out by its size, which must be known.
    label_maps = tf.ensure_shape(label_maps, shape)
    batch = {
      'image': image,
      'label_map': label_maps[:, -1],
      'seed': seeds(_LOSS, sample_index),
      'num_dropped_segments': num_dropped,
    }
    if past_frames:
      batch['past_masks'] = transforms.past_mask_dropout(
        label_maps[:, :-1],
        config.data.augmentation.past_mask_dropout,
        seeds(_PAST_MASK_DROPOUT, sample_index),
      )
    return batch

  # A range, not a counter: a tf.data service can share it out.
  steps = tf.data.Dataset.range(start_step, tf.int64.max // batch_size)
  batches = _load_and_map(
    steps, load, read, augment, share, dataset.parallel_reads
  )
  batches = _map(batches, finish)
  if config.data.service:
    # A batch goes to one worker of the service, so that each comes once.
    service = tf.data.experimental.service
    batches = batches.apply(
      service.distribute(service.ShardingPolicy.DYNAMIC, config.data.service)
    )
  return _prefetch(batches, dataset.parallel_reads)


def eval_dataset(
  dataset: dataset_lib.Dataset,
  config: base.Experiment,
  input_context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
  """Every example once, in order; the last batch is filled up.

  `data.eval_examples` limits their number. The rest is as for `eval_in_order`.
  """
  limit, batch_size = config.data.eval_examples, config.evaluation.batch_size
  count = dataset.num_examples if limit is None else limit
  count = min(count, dataset.num_examples)
  index = np.arange(count + -count % batch_size)
  index[count:] = -1
  order = {'index': index.reshape(-1, batch_size)}
  return eval_in_order(dataset, config, order, input_context)


def eval_in_order(
  dataset: dataset_lib.Dataset,
  config: base.Experiment,
  order: Mapping[str, np.ndarray],
  input_context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
  """Batches of examples in an order that is given.

  With several workers, each takes its slice of the same global batches, so all
  see the same number of them.

  Args:
    dataset: The data set.
    config: The experiment.
    order: 'index': integers `[steps, evaluation.batch_size]`, the index of each
      example, -1 for filling up. All other arrays `[steps, batch_size]` are
      passed on into the batches.
    input_context: The worker's place; None: the only one.

  Returns:
    Batches of the worker's share b of the global batch: 'image' uint8
    `[b, H, W, 3]`; 'valid' bool `[b]`, False for filling up; 'index'
    and 'image_id' int64 `[b]`, -1 where not valid; 'original_size' and
    'resized_size' int32 `[b, 2]`, the latter the part of H, W that is image;
    and the other arrays of the order.

  Raises:
    ValueError: If the batch cannot be shared among the workers.
  """
  batch_size = config.evaluation.batch_size
  share, first = _share(batch_size, input_context, 'evaluation.batch_size')
  index = order['index'].astype(np.int64)
  valid = index >= 0
  image_ids = np.asarray(dataset.image_ids, np.int64)
  keys = {
    **order,
    'index': index,
    'valid': valid,
    'image_id': np.where(valid, image_ids[index], -1),
  }

  def load(keys):
    return keys, dataset.load(tf.maximum(keys['index'], 0))

  def read(keys, loaded):
    return keys, dataset.read(loaded)

  def resize(keys, content):
    example = dataset.lazy_example(content)
    image, resized_size = transforms.eval_transform(
      example, config.model.image_size
    )
    sizes = {'original_size': example.size, 'resized_size': resized_size}
    return {**keys, 'image': image, **sizes}

  steps = tf.data.Dataset.from_tensor_slices(
    {name: array[:, first : first + share] for name, array in keys.items()}
  )
  batches = _load_and_map(
    steps, load, read, resize, share, dataset.parallel_reads
  )
  return _prefetch(batches, dataset.parallel_reads)


def require_videos(
  dataset: dataset_lib.Dataset, config: base.Experiment
) -> None:
  """Raises ValueError if a data set has images, not videos."""
  if not dataset.sequences:
    raise ValueError(
      f'{config.data.name} has images, not videos: choose davis, kitti_step or '
      'a set whose images have a sequence and a frame'
    )


def _load_and_map(
  steps: tf.data.Dataset,
  load: Any,
  read: Any,
  transform: Any,
  share: int,
  reads: int,
) -> tf.data.Dataset:
  """Loads batches whole, transforms examples one by one, batches them again."""
  examples = _map(steps, load).unbatch()
  examples = _map(_map(examples, read, reads), transform)
  return examples.batch(share, drop_remainder=True)


def _map(
  dataset: tf.data.Dataset, function: Any, calls: int = _CORES
) -> tf.data.Dataset:
  """Maps without AutoGraph, whose conversion takes longer than the tracing."""
  function = tf.autograph.experimental.do_not_convert(function)
  return dataset.map(function, num_parallel_calls=calls)


def _prefetch(batches: tf.data.Dataset, reads: int) -> tf.data.Dataset:
  options = tf.data.Options()
  options.deterministic = True
  # All that is parallel here has a number. To delete an iterator that is tuned
  # may take a minute, for which the thread that tunes it sleeps.
  options.autotune.enabled = False
  if reads > 1:  # A read holds a thread while it waits.
    options.threading.private_threadpool_size = reads + _CORES
  return batches.prefetch(_PREFETCHED).with_options(options)


def _share(
  batch_size: int, input_context: tf.distribute.InputContext | None, name: str
) -> tuple[int, int]:
  """A worker's part of a global batch: its size and its first row."""
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


def _seed(seed: int, purpose: int, sample_index: tf.Tensor) -> tf.Tensor:
  """int64 `[..., 2]`: a key for the stateless operations."""
  stream = tf.fill(
    tf.shape(sample_index), tf.constant(seed * _PURPOSES + purpose, tf.int64)
  )
  return tf.stack([stream, sample_index], axis=-1)
