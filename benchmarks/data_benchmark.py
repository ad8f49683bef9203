"""Images per second of the input pipelines, beside the bare decoding.

  python -m benchmarks.data_benchmark --dir=/path/to/coco_panoptic_100
  python -m benchmarks.data_benchmark --dataset=kitti_step --dir=DATA_DIR

The bare rate is what decoding the same JPEG and PNG files costs, bytes in
memory, in the same process, with as many cores and nothing else done. Each
measurement is a process of its own, bound to the cores, so that memory can be
told; the rounds take turns and the medians are printed.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time

from absl import app, flags

_DATASET = flags.DEFINE_string('dataset', 'coco_panoptic', 'data.name.')
_DIR = flags.DEFINE_string('dir', None, 'data.dir.')
_SOURCE = flags.DEFINE_string(
  'source', '', 'data.source; "": what the data set is read from as a rule.'
)
_SPLIT = flags.DEFINE_string('split', '', 'Of the data set; "": training.')
_SIZE = flags.DEFINE_list('size', ['256', '256'], 'Height and width of inputs.')
_BATCH = flags.DEFINE_integer('batch_size', 16, 'Examples in a batch.')
_SECONDS = flags.DEFINE_float('seconds', 4.0, 'Of each measurement.')
_ROUNDS = flags.DEFINE_integer('rounds', 3, 'Measurements to take medians of.')
_CORES = flags.DEFINE_list('cores', ['1', '2'], 'Numbers of cores.')
_CACHE = flags.DEFINE_bool('cache', True, 'Keep the bytes in memory.')
_ONE = flags.DEFINE_string('one', '', 'For a process that measures: what.')

_WHAT = ('bare decoding', 'training', 'evaluation')


def measure(what: str, seconds: float) -> dict:
  """Examples per second in this process, and its memory in MB.

  Memory is the most that was resident, and what of it came with opening and
  running the pipeline.
  """
  import tensorflow as tf

  from configs import base
  from data import blobs, clips, datasets, pipeline

  cores = len(os.sched_getaffinity(0))
  before = _resident()
  config = base.Experiment()
  name = _DATASET.value
  config.data.name, config.data.dir = name, _DIR.value
  config.data.source = _SOURCE.value or (
    'folder' if name == 'coco_panoptic' else 'tfds'
  )
  config.data.cache = _CACHE.value
  height, width = (int(side) for side in _SIZE.value)
  config.model.image_size = height, width
  config.model.mask_size = height // 2, width // 2
  # As the low-resolution stage of COCO, the most costly of the recipes.
  config.data.augmentation = base.Augmentation((1.0, 3.0), True, 1.0)
  config.training.batch_size = config.evaluation.batch_size = _BATCH.value
  split = _SPLIT.value or ('train2017' if 'coco' in name else 'train')
  dataset = datasets.create(config.data, split)
  videos = bool(dataset.sequences)
  if what == 'training':
    make = clips.train_clips if videos else pipeline.train_dataset
    batches = make(dataset, config)
  elif what == 'evaluation':
    batches = pipeline.eval_dataset(dataset, config).repeat()
  else:

    def decode(index):
      source = dataset.encoded_image(index)
      whole = tf.concat([[0, 0], source['size']], axis=0)
      image = blobs.decode_window(source['image'], whole)
      # The sums keep the decoding from being left out, at no cost.
      return tf.shape(image), tf.shape(dataset.label_pixels(index))

    batches = tf.data.Dataset.range(dataset.num_examples).repeat()
    batches = batches.map(decode, num_parallel_calls=cores).batch(_BATCH.value)
  options = tf.data.Options()
  options.threading.private_threadpool_size = cores
  iterator = iter(batches.with_options(options))
  for _ in range(3):
    next(iterator)
  start, count = time.perf_counter(), 0
  while time.perf_counter() - start < seconds:
    next(iterator)
    count += _BATCH.value
  rate = count / (time.perf_counter() - start)
  return {'rate': rate, 'memory': _resident(), 'own': _resident() - before}


def _resident() -> float:
  """The most memory that this process ever had, in MB."""
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _in_process(what: str, cores: int) -> dict:
  chosen = sorted(os.sched_getaffinity(0))[:cores]
  process = subprocess.run(
    [sys.executable, '-m', 'benchmarks.data_benchmark', *sys.argv[1:]]
    + [f'--one={what}'],
    stdout=subprocess.PIPE,
    check=True,
    text=True,
    preexec_fn=lambda: os.sched_setaffinity(0, chosen),
  )
  return json.loads(process.stdout.splitlines()[-1])


def main(argv) -> None:
  del argv
  if _ONE.value:
    import tensorflow as tf

    cores = len(os.sched_getaffinity(0))
    tf.config.threading.set_inter_op_parallelism_threads(cores)
    tf.config.threading.set_intra_op_parallelism_threads(cores)
    print(json.dumps(measure(_ONE.value, _SECONDS.value)))
    return
  available = len(os.sched_getaffinity(0))
  print('cores  what            examples/s  of bare  memory MB  of it ours')
  for cores in (int(text) for text in _CORES.value):
    if cores > available:
      print(f'{cores:5d}  left out: there are {available}')
      continue
    found = {what: [] for what in _WHAT}
    for _ in range(_ROUNDS.value):
      for what in _WHAT:
        found[what].append(_in_process(what, cores))
    bare = statistics.median(run['rate'] for run in found[_WHAT[0]])
    for what, runs in found.items():
      rate, memory, own = (
        statistics.median(run[key] for run in runs)
        for key in ('rate', 'memory', 'own')
      )
      print(
        f'{cores:5d}  {what:14s}  {rate:10.1f}  {100 * rate / bare:6.0f} %'
        f'  {memory:9.0f}  {own:10.0f}',
        flush=True,
      )


if __name__ == '__main__':
  flags.mark_flag_as_required('dir')
  app.run(main)
