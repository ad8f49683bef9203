"""Tests that a program without variables computes what the program does."""

import numpy as np
import tensorflow as tf

from benchmarks.tpu import functional


def test_reads_are_arguments_and_assignments_are_results():
  weight = tf.Variable([[2.0, 1.0], [0.5, 3.0]])
  m, v = tf.Variable(tf.zeros([2, 2])), tf.Variable(tf.ones([2, 2]))
  count, untouched = tf.Variable(1.0), tf.Variable(5.0)

  @tf.function(autograph=False)
  def inner(x):
    count.assign_add(tf.reduce_sum(x))
    return x @ weight

  def program(x):
    x = inner(x)
    _, x = tf.while_loop(
      lambda i, x: i < 3,
      lambda i, x: (i + 1, x @ weight + untouched),
      (tf.constant(0), x),
    )
    x = tf.cond(tf.reduce_sum(x) > 0, lambda: x * weight, lambda: x)
    settings = dict(lr=0.1, beta1=0.9, beta2=0.99, epsilon=1e-8)
    tf.raw_ops.ResourceApplyAdam(
      var=weight.handle,
      m=m.handle,
      v=v.handle,
      beta1_power=0.9,
      beta2_power=0.99,
      grad=x,
      **settings,
    )
    tf.raw_ops.ResourceApplyGradientDescent(
      var=weight.handle, alpha=0.5, delta=weight.read_value()
    )
    return x, count.read_value()

  x = tf.constant([[1.0, 2.0], [-1.0, 0.5]])
  traced, variables, assigned = functional.functionalize(
    program, [tf.TensorSpec([2, 2])]
  )
  everything = [weight, m, v, count, untouched]
  of_shape = {tuple(w.shape): w for w in everything}
  assert len(variables) == 5 and len(of_shape) == 2
  captured = [
    next(w for w in everything if w.handle is outer)
    for outer, _ in tf.function(program, autograph=False, jit_compile=True)
    .get_concrete_function(tf.TensorSpec([2, 2]))
    .graph.captures
  ]
  results = traced(x, *(w.read_value() for w in captured))
  expected = program(x)
  for a, b in zip(results[:2], expected, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-6)
  assert {id(captured[i]) for i in assigned} == {
    id(w) for w in (weight, m, v, count)
  }
  for i, value in zip(assigned, results[2:], strict=True):
    np.testing.assert_allclose(value, captured[i], rtol=1e-6)
