"""Measures the memory of a real training step of the paper's experiments.

  python -m benchmarks.memory_benchmark
  python -m benchmarks.memory_benchmark --of=davis --precision=bfloat16

A step of loss, gradients, clip, AdamW and averages on random images of the
experiment's own size, each in a process of its own. Memory is the most that the
process ever held, less what it held when weights, moments and averages were
there: what the images of the step take.
"""

import resource
import subprocess
import sys
import time

import tf_keras
from absl import app, flags

from benchmarks.measuring import network_steps
from configs import loading
from models import pix2seq_d
from models import precision as precision_lib
from models.blocks import recompute

_EXPERIMENTS = flags.DEFINE_multi_string(
  'of', ['coco_panoptic'], 'Experiments to measure.'
)
_PRECISIONS = flags.DEFINE_multi_enum(
  'precision',
  ['float32'],
  list(precision_lib.POLICIES),
  'Precisions to measure.',
)
_IMAGES = flags.DEFINE_integer('images', 1, 'Images of a step.', lower_bound=1)
_RECOMPUTE = flags.DEFINE_multi_enum(
  'recompute', ['false', 'true'], ['false', 'true'], 'Settings to measure.'
)
_HERE = flags.DEFINE_bool('here', False, 'Measure in this process.')


def _gib() -> float:
  """The most memory that this process ever held."""
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(name: str, precision: str, images: int, again: bool) -> str:
  """Makes a step; returns a row of the table.

  Args:
    name: Experiment.
    precision: One of `precision.POLICIES`.
    images: Size of the batch.
    again: `training.recompute`.
  """
  config = loading.load(name)
  policy = precision_lib.POLICIES[precision]
  tf_keras.mixed_precision.set_global_policy(policy)
  model = pix2seq_d.Pix2SeqD(config.model)
  model.build_weights()
  recompute.set_recompute(model, again)
  step = network_steps.training_step(model, images, config)
  function = step.get_concrete_function()
  before, start = _gib(), time.perf_counter()
  function()
  seconds = time.perf_counter() - start
  return (
    f'| {name} | {precision} | {images} | {"yes" if again else "no"} '
    f'| {(_gib() - before) / images:.1f} | {_gib():.1f} | {seconds:.0f} |'
  )


def main(argv) -> None:
  del argv
  if _HERE.value:
    again = _RECOMPUTE.value[0] == 'true'
    row = measure(
      _EXPERIMENTS.value[0], _PRECISIONS.value[0], _IMAGES.value, again
    )
    print(row, flush=True)
    return
  print(
    '| experiment | precision | images | recompute | GiB an image '
    '| GiB in all | seconds |'
  )
  print('|---|---|---|---|---|---|---|', flush=True)
  for name in _EXPERIMENTS.value:
    for precision in _PRECISIONS.value:
      for again in _RECOMPUTE.value:
        subprocess.run(
          [
            *(sys.executable, '-m', 'benchmarks.memory_benchmark', '--here'),
            *(f'--of={name}', f'--precision={precision}'),
            *(f'--images={_IMAGES.value}', f'--recompute={again}'),
          ],
          check=False,  # The next may need less memory.
        )


if __name__ == '__main__':
  app.run(main)
