"""Plans a run: does it fit, on how many devices, and how long does it take?

  python -m benchmarks.plan --of=coco_panoptic
  python -m benchmarks.plan --of=coco_panoptic --devices=8 --device=a100

The training step is traced and never run, so no accelerator is needed. Memory
is an estimate from the traced graph (`graph_costs`); the hours are those of the
operations at `--utilization` of the device's peak in bfloat16.
"""

import dataclasses
import math

import tf_keras
from absl import app, flags

from benchmarks import graph_costs, network_steps
from configs import base, loading
from models import pix2seq_d
from models.blocks import recompute
from training import state

_EXPERIMENTS = flags.DEFINE_multi_string(
  'of', ['coco_panoptic'], 'Experiments to plan.'
)
_PRECISION = flags.DEFINE_enum(
  'precision', 'bfloat16', list(state.POLICIES), 'training.precision.'
)
_UTILIZATION = flags.DEFINE_float(
  'utilization', 0.35, 'Share of the peak that a step reaches.', 0.01, 1.0
)


@dataclasses.dataclass(frozen=True)
class Device:
  """An accelerator.

  Attributes:
    name: As its maker calls it.
    gib: Memory, in GiB.
    peak: Dense operations in bfloat16, 1e12 a second.
  """

  name: str
  gib: float
  peak: float


DEVICES = (
  Device('TPU v5e', 16, 197),
  Device('TPU v4', 32, 275),
  Device('TPU v6e', 32, 918),
  Device('TPU v5p', 95, 459),
  Device('RTX 4090, 24 GB', 24, 165),
  Device('A100, 40 GB', 40, 312),
  Device('H100, 80 GB', 80, 989),
  Device('H200, 141 GB', 141, 989),
)
# What the runtime, its buffers and fragments take.
_USABLE = 0.9
# Weights, their gradients, two moments and the average, in float32.
_COPIES = 5


@dataclasses.dataclass(frozen=True)
class Costs:
  """What training takes.

  Attributes:
    parameters: Number of weights.
    flops: Operations of a training step with one image.
    image_bytes: Memory of a step with one image, beyond weights.
  """

  parameters: int
  flops: int
  image_bytes: int

  @property
  def fixed_bytes(self) -> int:
    """Memory that does not grow with the batch."""
    return 4 * _COPIES * self.parameters


def costs(config: base.Experiment, precision: str, again: bool) -> Costs:
  """Traces a training step with one image.

  Args:
    config: The experiment.
    precision: One of `state.POLICIES`.
    again: Whether blocks are recomputed.
  """
  before = tf_keras.mixed_precision.global_policy()
  tf_keras.mixed_precision.set_global_policy(state.POLICIES[precision])
  try:
    model = pix2seq_d.Pix2SeqD(config.model)
    model.build_weights()
    recompute.set_recompute(model, again)
    graph = network_steps.gradients(model, 1, config).get_concrete_function()
  finally:
    tf_keras.mixed_precision.set_global_policy(before)
  return Costs(
    parameters=sum(math.prod(w.shape) for w in model.weights),
    flops=graph_costs.flops(graph.graph),
    image_bytes=graph_costs.peak_bytes(graph.graph),
  )


def largest_batch(found: Costs, device: Device) -> int:
  """Images of a step that a device has memory for."""
  room = _USABLE * device.gib * 2**30 - found.fixed_bytes
  return max(0, int(room // found.image_bytes))


def shares(batch: int, fits: int) -> tuple[int, int]:
  """How a batch is shared out: images at a time, and the number of times.

  Args:
    batch: Images of an update.
    fits: Images at a time for which there is memory, at least 1.
  """
  at_a_time = max(n for n in range(1, min(batch, fits) + 1) if batch % n == 0)
  return at_a_time, batch // at_a_time


def rows(config: base.Experiment, found: Costs, utilization: float):
  """A row of the table for each device."""
  training = config.training
  total = found.flops * training.batch_size * training.steps
  for device in DEVICES:
    fits = largest_batch(found, device)
    if not fits:
      yield f'| {device.name} | 0 | does not fit | | |'
      continue
    at_a_time, times = shares(training.batch_size, fits)
    hours = total / (device.peak * 1e12 * utilization) / 3600
    yield (
      f'| {device.name} | {fits} | {times}, or `accumulation_steps={times}` '
      f'on one | {hours:,.0f} | {hours / times:,.0f} |'
    )


def main(argv) -> None:
  del argv
  for name in _EXPERIMENTS.value:
    config = loading.load(name)
    training = config.training
    print(f'\n## {name}: {training.steps:,} steps of {training.batch_size}')
    for again in (False, True):
      found = costs(config, _PRECISION.value, again)
      print(
        f'\n{found.parameters / 1e6:.1f} M parameters, '
        f'{found.flops / 1e12:.2f} TFLOP an image, {_PRECISION.value}, '
        f'training.recompute={str(again).lower()}: '
        f'{found.fixed_bytes / 2**30:.1f} GiB and '
        f'{found.image_bytes / 2**30:.1f} GiB an image\n'
      )
      print(
        '| device | images at a time | devices for the whole batch '
        '| hours on one | hours on as many |'
      )
      print('|---|---|---|---|---|')
      for row in rows(config, found, _UTILIZATION.value):
        print(row, flush=True)


if __name__ == '__main__':
  app.run(main)
