"""Tests the counts of operations and memory against figures by hand."""

import pytest
import tensorflow as tf

from benchmarks.measuring import graph_costs


def _flops(function, *shapes):
  specs = [tf.TensorSpec(shape) for shape in shapes]
  graph = (
    tf.function(function, autograph=False).get_concrete_function(*specs).graph
  )
  return graph_costs.flops(graph)


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


@pytest.mark.parametrize('turns', [4, None])
def test_a_loop_counts_as_often_as_it_runs(turns):
  def function(x):
    _, x = tf.while_loop(
      lambda i, x: i < 4,
      lambda i, x: (i + 1, x @ x),
      [tf.constant(0), x],
      maximum_iterations=turns,
    )
    return x @ x

  if turns is None:
    with pytest.raises(ValueError, match='does not say how often'):
      _flops(function, [3, 3])
  else:
    assert _flops(function, [3, 3]) == 5 * 2 * 27
    graph = (
      tf.function(function, autograph=False)
      .get_concrete_function(tf.TensorSpec([3, 3]))
      .graph
    )
    assert graph_costs.flops_of_a_turn(graph) == 2 * 27


def test_a_value_lives_until_its_last_use():
  def function(x):
    a = tf.matmul(x, x)  # 400 bytes each.
    b = tf.reshape(tf.matmul(a, a), [5, 20])
    c = tf.matmul(tf.reshape(b, [10, 10]), x)
    return tf.matmul(c, c)

  graph = (
    tf.function(function, autograph=False)
    .get_concrete_function(tf.TensorSpec([10, 10]))
    .graph
  )
  # Of the products never more than two are alive.
  assert graph_costs.peak_bytes(graph, lambda op: False) == 800


def test_a_fused_value_takes_nothing_but_keeps_what_it_is_made_of():
  def function(x):
    a = tf.matmul(x, x)
    b = tf.matmul(a, a)
    c = tf.nn.relu(a + 1)
    return tf.matmul(b, c)

  graph = (
    tf.function(function, autograph=False)
    .get_concrete_function(tf.TensorSpec([10, 10]))
    .graph
  )

  def fused(op):
    return op.type in ('AddV2', 'Relu')

  assert graph_costs.peak_bytes(graph) == 3 * 400
  assert graph_costs.peak_bytes(graph, fused) == 3 * 400
