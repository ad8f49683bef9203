"""Times sampling and training beside the machine's own peak.

  python -m benchmarks.speed_benchmark
  python -m benchmarks.speed_benchmark --model_of=shapes --batch_size=16

Without an experiment the model is the paper's (94.5 M weights). Floating point
operations are those of all convolutions and products in the traced graphs,
counted from their shapes; peaks are the best of several sizes of one operation.
Times are the best of several runs, for another process can only add to them.
"""

import functools
import gc
import math
import resource
import time
from collections.abc import Callable

import tensorflow as tf
import tf_keras
from absl import app, flags
from official.modeling import hyperparams

from benchmarks.measuring import graph_costs, network_steps
from configs import base, loading
from models import pix2seq_d
from models import precision as precision_lib

_MODEL_OF = flags.DEFINE_string(
  'model_of',
  None,
  'Experiment whose model to time; the default model if absent.',
)
_OVERRIDE = flags.DEFINE_string(
  'model_override', '', 'Fields of the model, as in image_size=[64,64].'
)
_BATCH_SIZE = flags.DEFINE_integer('batch_size', 1, 'Images.', lower_bound=1)
_STEPS = flags.DEFINE_integer('steps', 10, 'DDIM steps.', lower_bound=1)
_RUNS = flags.DEFINE_integer('runs', 5, 'Timed runs.', lower_bound=1)
_PRECISIONS = flags.DEFINE_multi_enum(
  'precision', ['float32', 'bfloat16'], ['float32', 'bfloat16'], 'Which to time'
)
_PEAK_SCALE = flags.DEFINE_integer(
  'peak_scale', 1, 'Divides the sizes that the peaks are measured at.'
)

# Of the peaks. Matrices: rows. Convolutions: pixels of a side, channels.
_MATRICES = (1024, 2048)
_CONVOLUTIONS = ((64, 256), (128, 128), (32, 512), (64, 512))


def seconds(function: Callable[[], tf.Tensor]) -> float:
  """The shortest time of a call, after one that is not timed."""
  times = []
  for _ in range(_RUNS.value + 1):
    start = time.perf_counter()
    function().numpy()
    times.append(time.perf_counter() - start)
  return min(times[1:])


def peaks(dtype: tf.DType) -> dict[str, float]:
  """The machine's best rates, in operations per second, by operation."""
  # One value is returned, so that copying a result is not timed.
  matmul = tf.function(lambda x: tf.matmul(x, x)[0, 0])
  conv = tf.function(lambda x, k: tf.nn.conv2d(x, k, 1, 'SAME')[0, 0, 0, 0])
  rates: dict[str, list[float]] = {'matmul': [], 'conv': []}
  scale = _PEAK_SCALE.value
  for size in _MATRICES:
    n = size // scale
    x = tf.cast(tf.random.normal([n, n]), dtype)
    rates['matmul'].append(2 * n**3 / seconds(functools.partial(matmul, x)))
  for size, channels in _CONVOLUTIONS:
    n = channels // scale
    x = tf.cast(tf.random.normal([1, size, size, n]), dtype)
    k = tf.cast(tf.random.normal([3, 3, n, n]), dtype)
    flops = 2 * 9 * (size * n) ** 2
    rates['conv'].append(flops / seconds(functools.partial(conv, x, k)))
  return {name: max(values) for name, values in rates.items()}


def report(
  name: str,
  function: tf.types.experimental.PolymorphicFunction,
  rates: dict[str, float],
  rates_32: dict[str, float] | None,
) -> None:
  """Prints a line on a function: operations, time, shares of the peaks."""
  flops = graph_costs.flops(function.get_concrete_function().graph)
  time_taken = seconds(function)
  rate = flops / time_taken
  shares = [f'{rate / rates[p]:5.1%} of {p}' for p in ('matmul', 'conv')]
  if rates_32 is not None:
    shares.append(f'{rate / rates_32["conv"]:5.1%} of float32 conv')
  rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
  print(
    f'{name:20s} {flops / 1e9:8.1f} GFLOP {time_taken * 1e3:8.1f} ms '
    f'{rate / 1e9:6.1f} GFLOP/s: {", ".join(shares)}; '
    f'peak memory so far {rss:.2f} GiB',
    flush=True,
  )


def main(argv) -> None:
  del argv
  experiment = base.Experiment()
  if _MODEL_OF.value is not None:
    experiment = loading.load(_MODEL_OF.value)
  if _OVERRIDE.value:
    hyperparams.override_params_dict(
      experiment.model, _OVERRIDE.value, is_strict=True
    )
  batch, steps = _BATCH_SIZE.value, _STEPS.value
  float32_rates = None
  for precision in sorted(_PRECISIONS.value, reverse=True):
    rates = peaks(tf.dtypes.as_dtype(precision))
    print(
      f'{precision} peaks: '
      + ', '.join(f'{p} {r / 1e9:.0f} GFLOP/s' for p, r in rates.items())
    )
    policy = precision_lib.POLICIES[precision]
    tf_keras.mixed_precision.set_global_policy(policy)
    model = pix2seq_d.Pix2SeqD(experiment.model)
    model.build_weights()
    size = sum(math.prod(v.shape) for v in model.trainable_variables)
    print(f'{precision}, {size / 1e6:.1f} M weights, batch {batch}')
    encoding = network_steps.sampling(model, batch, base.Sampler(steps=steps))
    graph = encoding.get_concrete_function().graph
    step_flops = graph_costs.flops_of_a_turn(graph)
    once = graph_costs.flops(graph) - steps * step_flops
    print(f'  once {once / 1e9:.1f} GFLOP, a step {step_flops / 1e9:.1f} GFLOP')
    report(f'sampling, {steps} steps', encoding, rates, float32_rates)
    update = network_steps.training_step(model, batch, experiment)
    report('training step', update, rates, float32_rates)
    if precision == 'float32':
      float32_rates = rates
    del model, encoding
    gc.collect()
  tf_keras.mixed_precision.set_global_policy('float32')


if __name__ == '__main__':
  app.run(main)
