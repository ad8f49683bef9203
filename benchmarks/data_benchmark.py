"""Images per second of the input pipelines, beside the bare decoding.

  python -m benchmarks.data_benchmark --dir=/path/to/coco_panoptic_100
  python -m benchmarks.data_benchmark --dataset=kitti_step --split=train \
    --dir=/path/to/kitti_step

The bare rate is what decoding the same JPEG and PNG files costs, bytes in
memory, in the same process, with as many cores and nothing else done. Each
measurement is a process of its own, bound to the cores, so that memory can be
told; the rounds take turns and the medians are printed.
"""

import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Mapping, Sequence
from concurrent import futures
from typing import Any, cast

from absl import app, flags

from panoptic.console import command_line

_WHAT = ('bare decoding', 'training', 'evaluation')


def experiment(data: Mapping[str, Any], size: Sequence[int], batch_size: int):
  """The experiment to measure, with the augmentation of COCO's first stage.

  It is the most costly of the recipes.

  Args:
    data: Fields of `data`, of which `name` and `dir` are needed.
    size: Height and width of the inputs; masks have half of them.
    batch_size: Of training and evaluation.
  """
  from configs import base

  config = base.Experiment()
  config.data.override(dict(data))
  config.data.augmentation = base.Augmentation(
    scale_jitter=(1.0, 3.0), color_jitter=1.0
  )
  height, width = size
  config.model.image_size = height, width
  config.model.mask_size = height // 2, width // 2
  config.training.batch_size = config.evaluation.batch_size = batch_size
  return config


def measure(config, split: str, what: str, seconds: float) -> dict[str, float]:
  """Measures in this process, with all cores that it may use.

  Args:
    config: The experiment.
    split: Of its data set.
    what: One of `_WHAT`.
    seconds: How long, after a few batches.

  Returns:
    'rate': examples per second; 'memory': the most that was resident, MB;
    'own': how much of that came with opening and running the pipeline.
  """
  import tensorflow as tf

  from data import pipeline, registry, video_pipeline
  from data.reading import byte_ranges, file_dataset

  cores = len(os.sched_getaffinity(0))
  before = _resident()
  batch_size = config.training.batch_size
  dataset = registry.create(config.data, split)
  videos = bool(dataset.sequences)
  config.model.past_masks = len(config.data.past_frames) if videos else 0
  if what == 'training':
    batches = pipeline.train_dataset(dataset, config)
  elif what == 'evaluation':
    evaluation = video_pipeline if videos else pipeline
    batches = evaluation.eval_dataset(dataset, config).repeat()
  else:
    files = cast(file_dataset.FileDataset, dataset)

    def decode(index):
      whole = tf.concat([[0, 0], files.sizes[index]], axis=0)
      read = files.read(index, ())
      content, turn = files.encoded_image(index, read.image)
      image = byte_ranges.decode_window(content, whole, turn)
      # Shapes alone are passed on: copying images is not decoding them.
      labels = files.label_pixels(index, read.labels[0])
      return tf.shape(image), tf.shape(labels)

    batches = tf.data.Dataset.range(dataset.num_examples).repeat()
    batches = batches.map(decode, num_parallel_calls=cores).batch(batch_size)
  options = tf.data.Options()
  options.threading.private_threadpool_size = cores
  iterator = iter(batches.with_options(options))
  for _ in range(3):
    next(iterator)
  start, count = time.perf_counter(), 0
  while time.perf_counter() - start < seconds:
    next(iterator)
    count += batch_size
  rate = count / (time.perf_counter() - start)
  return {'rate': rate, 'memory': _resident(), 'own': _resident() - before}


def _resident() -> float:
  """The most memory that this process ever had, in MB."""
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _in_process(cores: int, *arguments) -> dict[str, float]:
  """`_measure_here` in a process of its own, on so many cores."""
  chosen = sorted(os.sched_getaffinity(0))[:cores]
  spawn = multiprocessing.get_context('spawn')
  with futures.ProcessPoolExecutor(
    1, spawn, os.sched_setaffinity, (0, chosen)
  ) as pool:
    return pool.submit(_measure_here, *arguments).result()


def _measure_here(
  what: str, data, size, batch_size: int, split: str, seconds: float
) -> dict[str, float]:
  """Sets the number of threads and measures; see `experiment`, `measure`."""
  import tensorflow as tf

  cores = len(os.sched_getaffinity(0))
  tf.config.threading.set_inter_op_parallelism_threads(cores)
  tf.config.threading.set_intra_op_parallelism_threads(cores)
  return measure(experiment(data, size, batch_size), split, what, seconds)


def _define_flags() -> None:
  # Not at import: other programs that use this module have their own flags.
  flags.DEFINE_string('dataset', 'coco_panoptic', 'data.name.')
  command_line.define_path('dir', None, 'data.dir.', required=True)
  flags.DEFINE_string(
    'source', '', 'data.source; "": the content of the folder decides.'
  )
  flags.DEFINE_string('split', 'train2017', 'Of the data set.')
  flags.DEFINE_list('size', ['256', '256'], 'Height and width of inputs.')
  flags.DEFINE_integer('batch_size', 16, 'Examples in a batch.')
  flags.DEFINE_float('seconds', 4.0, 'Of each measurement.')
  flags.DEFINE_integer('rounds', 3, 'Measurements to take medians of.')
  flags.DEFINE_list('cores', ['1', '2'], 'Numbers of cores.')
  flags.DEFINE_bool('cache', True, 'Keep the bytes in memory.')


def main(argv) -> None:
  """Prints a table; see the module."""
  del argv
  values = flags.FLAGS
  data = {key: values[key].value for key in ('dir', 'source', 'cache')}
  data['name'] = values.dataset
  size = [int(side) for side in values.size]
  arguments = data, size, values.batch_size, values.split, values.seconds
  available = len(os.sched_getaffinity(0))
  print('cores  what            examples/s  of bare  memory MB  of it ours')
  for cores in (int(text) for text in values.cores):
    if cores > available:
      print(f'{cores:5d}  left out: there are {available}')
      continue
    found: dict[str, list] = {what: [] for what in _WHAT}
    for _ in range(values.rounds):
      for what in _WHAT:
        found[what].append(_in_process(cores, what, *arguments))
    medians = {
      what: [statistics.median(run[key] for run in runs) for key in runs[0]]
      for what, runs in found.items()
    }
    bare, *_ = medians[_WHAT[0]]
    for what, (rate, memory, own) in medians.items():
      print(
        f'{cores:5d}  {what:14s}  {rate:10.1f}  {100 * rate / bare:6.0f} %'
        f'  {memory:9.0f}  {own:10.0f}',
        flush=True,
      )


if __name__ == '__main__':
  _define_flags()
  app.run(main)
