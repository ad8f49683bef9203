"""Tests of functions with gradients of their own."""

import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

from models.blocks import gradients


@gradients.custom_gradient
def _tripled(x):
  # Not the true gradient, so that it can be told from it.
  return 3 * x, lambda d_y: 5 * d_y


def _registered():
  return len(ops.gradient_registry._registry)


@pytest.mark.parametrize('jit_compile', [False, True])
def test_gradient_of_a_graph_within_a_tape(jit_compile):
  run = tf.function(_tripled, autograph=False, jit_compile=jit_compile)
  x = tf.constant(2.0)
  with tf.GradientTape() as tape:
    tape.watch(x)
    y = run(x)
  assert float(y) == 6 and float(tape.gradient(y, x)) == 5


def test_graphs_that_only_predict_register_nothing():
  before = _registered()
  run = tf.function(_tripled, autograph=False)
  assert float(run(tf.constant(2.0))) == 6
  assert _registered() == before
