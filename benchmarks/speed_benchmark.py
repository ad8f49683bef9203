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
from official.core import exp_factory
from official.modeling import hyperparams

from configs import base, shapes  # noqa: F401 (registers the experiment)
from models import pix2seq_d
from training import ema, state
from training import optimizer as optimizer_lib

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


def count_flops(graph: tf.Graph, loop_steps: int) -> int:
  """Counts the operations of convolutions and products, gradients included.

  Args:
    graph: a traced graph with static shapes.
    loop_steps: how often a loop in it runs.

  Returns:
    Floating point operations, two for each multiply-add.

  Raises:
    ValueError: where a shape is not static.
  """
  return sum(
    _op_flops(op, loop_steps)
    for op in graph.get_operations()
    if op.type in _MULTIPLY_ADDS or op.type in _CALLS
  )


def _op_flops(op: tf.Operation, loop_steps: int) -> int:
  if op.type in _CALLS:
    name = op.get_attr(_CALLS[op.type]).name
    graph = op.graph._get_function(name).graph  # TensorFlow has no other way.
    times = loop_steps if op.type in ('While', 'StatelessWhile') else 1
    return times * count_flops(graph, loop_steps)
  try:
    return 2 * _MULTIPLY_ADDS[op.type](op)
  except TypeError as error:
    raise ValueError(f'{op.name} has no static shapes') from error


def _convolution(data: tf.Tensor, kernel: tf.Tensor) -> int:
  """Each of its output's values, as `data`, takes a whole filter."""
  return math.prod(data.shape) * math.prod(kernel.shape[:3])


def _einsum(op: tf.Operation) -> int:
  labels = op.get_attr('equation').decode().split('->')[0].split(',')
  sizes: dict[str, int] = {}
  for axes, x in zip(labels, op.inputs, strict=True):
    sizes.update(zip(axes, x.shape, strict=True))
  return math.prod(sizes.values())


def _matmul(op: tf.Operation, transposed: str) -> int:
  inner = op.inputs[0].shape[-2 if op.get_attr(transposed) else -1]
  return math.prod(op.outputs[0].shape) * inner


_MULTIPLY_ADDS: dict[str, Callable[[tf.Operation], int]] = {
  'Conv2D': lambda op: _convolution(op.outputs[0], op.inputs[1]),
  'Conv2DBackpropInput': lambda op: _convolution(op.inputs[2], op.inputs[1]),
  'Conv2DBackpropFilter': lambda op: _convolution(op.inputs[2], op.outputs[0]),
  'MatMul': lambda op: _matmul(op, 'transpose_a'),
  'BatchMatMulV2': lambda op: _matmul(op, 'adj_x'),
  'Einsum': _einsum,
}
_CALLS = {
  'PartitionedCall': 'f',
  'StatefulPartitionedCall': 'f',
  'While': 'body',
  'StatelessWhile': 'body',
}


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


def sampling(model: pix2seq_d.Pix2SeqD, batch: int, sampler: base.Sampler):
  """A graph that samples, its image encoded first."""
  c = model.config
  image = tf.random.uniform([batch, *c.image_size, 3])
  noise = tf.random.normal([batch, *c.mask_size, 2 * c.bits])

  @tf.function(autograph=False)
  def sample():
    return model.sample(model.encode(image), noise, sampler)

  return sample


def training_step(
  model: pix2seq_d.Pix2SeqD, batch: int, experiment: base.Experiment
):
  """A graph of loss, gradients, clip, AdamW and averages."""
  c = model.config
  image = tf.random.uniform([batch, *c.image_size, 3])
  limit = min(c.num_classes, c.max_instances)
  label_map = tf.random.uniform([batch, *c.mask_size, 2], 0, limit, tf.int32)
  seeds = tf.zeros([batch, 2], tf.int64)
  average = pix2seq_d.Pix2SeqD(c)
  average.build_weights()
  variables = model.trainable_variables
  config = experiment.optimizer
  optimizer = optimizer_lib.AdamW(config, variables)
  step = tf.constant(0, tf.int64)

  @tf.function(autograph=False)
  def update():
    with tf.GradientTape() as tape:
      loss, _ = model.loss(image, label_map, seeds, experiment.loss)
    gradients = [
      tf.convert_to_tensor(g) for g in tape.gradient(loss, variables)
    ]
    norm = tf.linalg.global_norm(gradients)
    gradients = optimizer_lib.clip(gradients, norm, config.clip_norm)
    rate = tf.constant(config.learning_rate)
    optimizer.apply(variables, gradients, rate, step)
    ema.update(model, average, ema.decay(config, step))
    return loss

  return update


def report(
  name: str,
  function: tf.types.experimental.PolymorphicFunction,
  rates: dict[str, float],
  rates_32: dict[str, float] | None,
) -> None:
  """Prints a line on a function: operations, time, shares of the peaks."""
  flops = count_flops(function.get_concrete_function().graph, _STEPS.value)
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
    experiment = exp_factory.get_exp_config(_MODEL_OF.value)
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
    tf_keras.mixed_precision.set_global_policy(state.POLICIES[precision])
    model = pix2seq_d.Pix2SeqD(experiment.model)
    model.build_weights()
    size = sum(math.prod(v.shape) for v in model.trainable_variables)
    print(f'{precision}, {size / 1e6:.1f} M weights, batch {batch}')
    encoding = sampling(model, batch, base.Sampler(steps=steps))
    graph = encoding.get_concrete_function().graph
    encoder_flops, all_flops = (count_flops(graph, n) for n in (0, 1))
    print(
      f'  once {encoder_flops / 1e9:.1f} GFLOP, '
      f'a step {(all_flops - encoder_flops) / 1e9:.1f} GFLOP'
    )
    report(f'sampling, {steps} steps', encoding, rates, float32_rates)
    update = training_step(model, batch, experiment)
    report('training step', update, rates, float32_rates)
    if precision == 'float32':
      float32_rates = rates
    del model, encoding
    gc.collect()
  tf_keras.mixed_precision.set_global_policy('float32')


if __name__ == '__main__':
  app.run(main)
