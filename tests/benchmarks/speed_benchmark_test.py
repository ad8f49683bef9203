"""Tests the count of operations, and that the benchmark runs."""

import subprocess
import sys

import pytest
import tensorflow as tf

from benchmarks import speed_benchmark

_TINY = ','.join(
  [
    'image_size=[32,32]',
    'mask_size=[8,8]',
    'bits=2',
    'num_classes=4',
    'max_instances=4',
    'encoder.resnet.depth=18',
    'encoder.resnet.width_multiplier=0.125',
    'encoder.dim=8',
    'encoder.num_layers=1',
    'encoder.num_heads=2',
    'encoder.mlp_dim=16',
    'encoder.feature_dim=8',
    'decoder.dim=8',
    'decoder.channel_multipliers=[1,1]',
    'decoder.transformer_dim=16',
    'decoder.transformer_layers=1',
    'decoder.head_dim=8',
  ]
)


def _flops(function, *shapes, loop_steps=1):
  specs = [tf.TensorSpec(shape) for shape in shapes]
  graph = tf.function(function).get_concrete_function(*specs).graph
  return speed_benchmark.count_flops(graph, loop_steps)


@pytest.mark.parametrize(
  'function, shapes, flops',
  [
    (tf.matmul, ([3, 5], [5, 7]), 2 * 3 * 5 * 7),
    (tf.matmul, ([2, 3, 5], [2, 5, 7]), 2 * 2 * 3 * 5 * 7),
    (
      lambda x, k: tf.nn.conv2d(x, k, 2, 'SAME'),
      ([1, 8, 8, 3], [3, 3, 3, 5]),
      2 * 4 * 4 * 5 * 27,
    ),
    (
      lambda x, y: tf.einsum('bqhe,bkhe->bhqk', x, y),
      ([2, 3, 4, 5], [2, 6, 4, 5]),
      2 * 2 * 3 * 4 * 5 * 6,
    ),
  ],
)
def test_a_product_and_its_two_gradients_cost_the_same(function, shapes, flops):
  def gradients(x, y):
    with tf.GradientTape() as tape:
      tape.watch([x, y])
      z = function(x, y)
    return tape.gradient(z, [x, y])

  assert _flops(function, *shapes) == flops
  # The value itself, and a product of the same size for each gradient.
  assert _flops(gradients, *shapes) == 3 * flops


def test_a_loop_counts_as_often_as_it_runs():
  def function(x):
    return tf.while_loop(
      lambda i, x: i < 4, lambda i, x: (i + 1, x @ x), [tf.constant(0), x]
    )

  assert _flops(function, [3, 3], loop_steps=4) == 4 * 2 * 27


@pytest.mark.slow
def test_it_runs():
  run = subprocess.run(
    [
      *(sys.executable, '-m', 'benchmarks.speed_benchmark'),
      *(f'--model_override={_TINY}', '--steps=2', '--runs=1'),
      *('--peak_scale=16', '--precision=float32'),
    ],
    check=True,
    capture_output=True,
    text=True,
  )
  lines = run.stdout.splitlines()
  assert [line.split(',')[0].split(' step')[0] for line in lines[-2:]] == [
    'sampling',
    'training',
  ]
  assert all('of conv' in line for line in lines[-2:])
