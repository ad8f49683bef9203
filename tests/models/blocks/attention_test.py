import numpy as np
import pytest
import tensorflow as tf

from models.blocks import attention


def _inputs(length, memory, batch=2, heads=3, dim=5):
  random = np.random.default_rng(0)

  def draw(n):
    return tf.constant(random.normal(size=[batch, n, heads, dim]), tf.float32)

  return draw(length), draw(memory), draw(memory), draw(length)


def _out_and_gradients(query, keys, values, weights):
  with tf.GradientTape() as tape:
    tape.watch([query, keys, values])
    out = attention.attend(query, keys, values)
    total = tf.reduce_sum(out * weights)
  return out, *tape.gradient(total, [query, keys, values])


@pytest.mark.parametrize('compiled', [False, True])
@pytest.mark.parametrize('length, memory', [(64, 64), (65, 64), (37, 81)])
def test_blocks_give_the_plain_attention(monkeypatch, compiled, length, memory):
  inputs = _inputs(length, memory)
  plain = _out_and_gradients(*inputs)
  monkeypatch.setattr(attention, '_MAX_SCORES', 1)
  monkeypatch.setattr(attention, '_MIN_QUERIES', 16)
  blocks = tf.function(
    _out_and_gradients, autograph=False, jit_compile=compiled
  )
  graph = blocks.get_concrete_function(*inputs).graph
  # No tensor holds the scores of all queries.
  sizes = [
    np.prod(x.shape)
    for op in graph.get_operations()
    for x in op.outputs
    if x.shape.is_fully_defined()
  ]
  assert max(sizes) < 2 * 3 * length * memory
  for a, b in zip(blocks(*inputs), plain, strict=True):
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_bfloat16_blocks_are_near(monkeypatch):
  inputs = _inputs(48, 40)
  plain = _out_and_gradients(*inputs)
  monkeypatch.setattr(attention, '_MAX_SCORES', 1)
  monkeypatch.setattr(attention, '_MIN_QUERIES', 16)
  halves = [tf.cast(x, tf.bfloat16) for x in inputs]
  for a, b in zip(_out_and_gradients(*halves), plain, strict=True):
    assert a.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(a, tf.float32), b, atol=0.1)
