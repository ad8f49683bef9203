"""Measures the input pipeline where each read of a file takes time.

  python -m benchmarks.latency_benchmark --dir=/data/coco --milliseconds=30

Buckets answer tens of milliseconds later. Batches a second of evaluation and of
training, without and with that delay before every read, and their ratio.
"""

import time

import tensorflow as tf
from absl import app, flags

from configs import loading
from data import pipeline, registry
from data.reading import byte_ranges
from panoptic.console import command_line

_PIPELINE = flags.DEFINE_string(
  'pipeline', 'coco_panoptic', 'An experiment on COCO.'
)
_DIR = command_line.define_path('dir', '', 'Folder of COCO.')
_SPLIT = flags.DEFINE_string('split', 'val2017', 'Its split.')
_MILLISECONDS = flags.DEFINE_float('milliseconds', 30.0, 'Before each read.')
_SECONDS = flags.DEFINE_float('seconds', 15.0, 'Of each measurement.')
_IMAGES = 8  # Of a batch.


def _delayed(read, seconds: float):
  """A `Reader.read` that waits first, without holding a core."""

  def wait(index):
    time.sleep(seconds)
    return index

  def delayed(reader, index):
    index = tf.ensure_shape(tf.numpy_function(wait, [index], tf.int64), [])
    return read(reader, index)

  return delayed


def images_per_second(what: str, seconds: float) -> float:
  """Images a second of `training` or `evaluation`, for `seconds`."""
  config = loading.load(_PIPELINE.value)
  config.data.dir = _DIR.value
  config.data.train_split = config.data.eval_split = _SPLIT.value
  config.training.batch_size = config.evaluation.batch_size = _IMAGES
  dataset = registry.create(config.data, _SPLIT.value)
  if what == 'training':
    batches = pipeline.train_dataset(dataset, config)
  else:
    batches = pipeline.eval_dataset(dataset, config).repeat()
  iterator = iter(batches)
  for _ in range(8):  # Until the buffers are full.
    next(iterator)
  start, count = time.perf_counter(), 0
  while time.perf_counter() - start < seconds:
    next(iterator)
    count += _IMAGES
  return count / (time.perf_counter() - start)


def main(argv) -> None:
  """Prints a table."""
  del argv
  print('| images a second | local | delayed | ratio |')
  print('|---|---|---|---|')
  read = byte_ranges.Reader.read
  delayed = _delayed(read, _MILLISECONDS.value / 1000)
  for what in ('training', 'evaluation'):
    found = []
    # In turns, since machines are not always equally fast.
    for function in (read, delayed, read, delayed):
      byte_ranges.Reader.read = function  # type: ignore[method-assign]
      found.append(images_per_second(what, _SECONDS.value / 2))
    byte_ranges.Reader.read = read  # type: ignore[method-assign]
    local, slow = (sum(found[i::2]) / 2 for i in (0, 1))
    print(f'| {what} | {local:.0f} | {slow:.0f} | {slow / local:.2f} |')


if __name__ == '__main__':
  app.run(main)
