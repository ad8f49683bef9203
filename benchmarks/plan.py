"""Plans a run: does it fit, on how many devices, and how long does it take?

  python -m benchmarks.plan --of=coco_panoptic
  python -m benchmarks.plan --of=all --precision=float32 --recompute=true
  python -m benchmarks.plan --compile=v5e --tensorflow=... --compiler=...

A step of training is traced and never run: neither an accelerator nor its
packages are needed, but for --compile (see docs/accelerators.md). Operations
are counted in the traced graph. Memory is that of its values at their peak,
each from where it is made to its last use, and weights, gradients, moments and
averages. Hours are the operations at --utilization of the device's peak in
bfloat16 (float32 convolutions run as bfloat16 on TPUs and at half of it, as
TF32, on GPUs).
"""

import dataclasses
import math
from collections.abc import Iterator

from absl import app, flags

from benchmarks import paper
from benchmarks.measuring import graph_costs, network_steps
from benchmarks.tpu import compile as compile_lib
from benchmarks.tpu import toolchain
from configs import base, loading
from models import pix2seq_d
from models import precision as precision_lib
from models.blocks import recompute

_EXPERIMENTS = flags.DEFINE_multi_string(
  'of', ['coco_panoptic'], "Experiments to plan, or 'all' of the paper."
)
_PRECISIONS = flags.DEFINE_multi_enum(
  'precision', ['bfloat16'], list(precision_lib.POLICIES), 'training.precision.'
)
_RECOMPUTE = flags.DEFINE_multi_enum(
  'recompute', ['false', 'true'], ['false', 'true'], 'training.recompute.'
)
_COMPILE = flags.DEFINE_enum(
  'compile', None, list(compile_lib.TOPOLOGIES), "Ask a chip's compiler, too."
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
    peaks: Dense operations by `training.precision`, 1e12 a second; float32 as
      TensorFlow computes it, in bfloat16 on TPUs and in TF32 on GPUs.
  """

  name: str
  gib: float
  peaks: dict[str, float]


def _tpu(name: str, gib: float, peak: float) -> Device:
  return Device(name, gib, {'float32': peak, 'bfloat16': peak})


def _gpu(name: str, gib: float, peak: float) -> Device:
  return Device(name, gib, {'float32': peak / 2, 'bfloat16': peak})


# By the makers' data sheets.
DEVICES = (
  _tpu('TPU v5e', 16, 197),
  _tpu('TPU v4', 32, 275),
  _tpu('TPU v6e', 32, 918),
  _tpu('TPU v5p', 95, 459),
  _gpu('RTX 4090, 24 GB', 24, 165),
  _gpu('A100, 40 GB', 40, 312),
  _gpu('H100, 80 GB', 80, 989),
  _gpu('H200, 141 GB', 141, 989),
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
    image_bytes: Memory of a step with one image, beyond what is fixed.
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
    precision: One of `precision.POLICIES`.
    again: Whether blocks are recomputed.
  """
  with precision_lib.scope(precision):
    model = pix2seq_d.Pix2SeqD(config.model)
    model.build_weights()
    recompute.set_recompute(model, again)
    graph = network_steps.gradients(model, 1, config).get_concrete_function()
  parameters = sum(math.prod(w.shape) for w in model.weights)
  return Costs(
    parameters=parameters,
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


def rows(
  config: base.Experiment, found: Costs, precision: str, utilization: float
) -> Iterator[str]:
  """A row of the table for each device."""
  training = config.training
  total = found.flops * training.batch_size * training.steps
  for device in DEVICES:
    fits = largest_batch(found, device)
    if not fits:
      yield f'| {device.name} | 0 | does not fit | | |'
      continue
    at_a_time, times = shares(training.batch_size, fits)
    peak = device.peaks[precision] * 1e12
    hours = total / (peak * utilization) / 3600
    yield (
      f'| {device.name} | {fits} | {times}, or `accumulation_steps={times}` '
      f'on one | {hours:,.0f} | {hours / times:,.0f} |'
    )


def compared(estimate: int, found: dict) -> str:
  """A line that sets the estimate of an image's memory beside a compiler's."""
  if 'error' in found:
    return found['error']
  took = found['temporary_bytes']
  return (
    f'The compiler for {found["chip"]} plans {took / 2**30:.1f} GiB for one '
    f'image; the estimate is {estimate / took:.2f} of it.'
  )


def main(argv) -> None:
  """Prints the tables."""
  del argv
  chip = _COMPILE.value
  tools = toolchain.from_flags('schedule') if chip else None
  for name in paper.chosen(_EXPERIMENTS.value):
    config = loading.load(name)
    training = config.training
    print(f'\n## {name}: {training.steps:,} steps of {training.batch_size}')
    for precision in _PRECISIONS.value:
      for again in _RECOMPUTE.value:
        found = costs(config, precision, again == 'true')
        total = found.flops * training.batch_size * training.steps
        print(
          f'\n{found.parameters / 1e6:.1f} M parameters, '
          f'{found.flops / 1e12:.2f} TFLOP an image and {total:.2g} in all; '
          f'{precision}, training.recompute={again}: '
          f'{found.fixed_bytes / 2**30:.1f} GiB, and '
          f'{found.image_bytes / 2**30:.1f} GiB an image\n'
        )
        print(
          '| device | images at a time | for the whole batch at once '
          '| hours on one | on as many |'
        )
        print('|---|---|---|---|---|')
        for row in rows(config, found, precision, _UTILIZATION.value):
          print(row, flush=True)
        if tools:
          override = (
            f'training.precision={precision},training.recompute={again}'
          )
          said = tools.results(name, 'train', override, [chip])[chip]
          print(f'\n{compared(found.image_bytes, said)}', flush=True)


if __name__ == '__main__':
  app.run(main)
