"""Multi-head attention that keeps no probabilities.

The probabilities of s queries and m keys are s x m numbers a head: 1 GiB a
layer for the 4,096 tokens of a COCO image. Long sequences are computed by
blocks of queries, and every block once more for its gradient.
"""

import math

import tensorflow as tf
import tf_keras

from models import prng
from models.blocks import gradients, layers

KeysValues = tuple[tf.Tensor, tf.Tensor]

# More scores than these (128 MiB in float32) are computed in blocks, of no
# fewer queries than a matrix unit has rows.
_MAX_SCORES, _MIN_QUERIES = 2**25, 128


def attend(query: tf.Tensor, keys: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
  """softmax(query keys^T) values, for each head.

  Args:
    query: Scaled queries `[B, s, heads, e]`.
    keys: `[B, m, heads, e]`.
    values: `[B, m, heads, e]`.

  Returns:
    `[B, s, heads, e]`.
  """
  batch, length, heads, _ = query.shape
  scores_of_query = (batch or 1) * heads * keys.shape[1]
  if length * scores_of_query <= _MAX_SCORES:
    return _weighted_sum(_probabilities(query, keys), values)
  queries = max(_MAX_SCORES // scores_of_query, _MIN_QUERIES)
  return _attend_in_blocks(query, keys, values, math.ceil(length / queries))


def _probabilities(query, keys):
  return tf.nn.softmax(tf.einsum('bqhe,bkhe->bhqk', query, keys))


def _weighted_sum(probabilities, values):
  return tf.einsum('bhqk,bkhe->bqhe', probabilities, values)


def _attend_in_blocks(query, keys, values, count: int):
  """`attend` by `count` blocks of queries, with a gradient of its own."""
  length = query.shape[1]
  # Whole tiles of a TPU's memory.
  size = 8 * math.ceil(length / count / 8)

  def split(x):
    """`[B, s, heads, e]` to `[count, B, size, heads, e]`."""
    x = tf.pad(x, [[0, 0], [0, count * size - length], [0, 0], [0, 0]])
    x = tf.reshape(x, [-1, count, size, *x.shape[2:]])
    return tf.transpose(x, [1, 0, 2, 3, 4])

  def join(x):
    x = tf.transpose(x, [1, 0, 2, 3, 4])
    x = tf.reshape(x, [-1, count * size, *x.shape[3:]])
    return x[:, :length]

  @gradients.custom_gradient
  def run(query, keys, values):
    out = tf.map_fn(
      lambda block: _weighted_sum(_probabilities(block, keys), values),
      split(query),
      parallel_iterations=1,
    )

    def gradient(d_out):
      blocks, d_blocks = split(query), split(d_out)

      def step(i, d_query, d_keys, d_values):
        block, d_block = blocks[i], d_blocks[i]
        p = _probabilities(block, keys)
        d_p = tf.einsum('bqhe,bkhe->bhqk', d_block, values)
        d_scores = p * (d_p - tf.reduce_sum(p * d_p, -1, keepdims=True))
        of_block = tf.einsum('bhqk,bkhe->bqhe', d_scores, keys)
        of_keys = tf.einsum('bhqk,bqhe->bkhe', d_scores, block)
        of_values = tf.einsum('bhqk,bqhe->bkhe', p, d_block)
        return (
          i + 1,
          d_query.write(i, of_block),
          # Sums over many blocks need more than half precision.
          d_keys + tf.cast(of_keys, tf.float32),
          d_values + tf.cast(of_values, tf.float32),
        )

      zeros = tf.zeros_like(keys, tf.float32)
      d_query = tf.TensorArray(
        query.dtype, count, element_shape=blocks.shape[1:]
      )
      _, d_query, d_keys, d_values = tf.while_loop(
        lambda i, *_: i < count,
        step,
        (tf.constant(0), d_query, zeros, zeros),
        parallel_iterations=1,
        maximum_iterations=count,
      )
      d_keys, d_values = (tf.cast(d, keys.dtype) for d in (d_keys, d_values))
      return join(d_query.stack()), d_keys, d_values

    return join(out), gradient

  return run(query, keys, values)


class Attention(tf_keras.layers.Layer):
  """Multi-head attention with the weight layout of Keras' layer.

  `keys_values` is a method of its own, so that the keys and values of a memory
  that stays the same are computed once.
  """

  def __init__(
    self, heads: int, head_dim: int, dim: int, drop: float = 0.0, **kwargs
  ):
    """Takes the output's channels `dim` and the attention's dropout rate."""
    super().__init__(**kwargs)
    self._scale = 1 / math.sqrt(head_dim)
    self._drop = drop

    def to_heads(name):
      return tf_keras.layers.EinsumDense(
        'bsd,dhe->bshe', [None, heads, head_dim], bias_axes='he', name=name
      )

    self.query, self.key, self.value = map(to_heads, ('query', 'key', 'value'))
    self.output_dense = tf_keras.layers.EinsumDense(
      'bshe,hed->bsd', [None, dim], bias_axes='d', name='output'
    )

  def keys_values(self, memory: tf.Tensor) -> KeysValues:
    """Keys and values `[B, m, heads, head_dim]` of a memory `[B, m, dim]`."""
    return self.key(memory), self.value(memory)

  def call(self, x, keys_values: KeysValues, rng: prng.Rng | None = None):
    """Attends from queries `[B, s, dim]`; returns `[B, s, dim]`."""
    keys, values = keys_values
    query = self.query(x) * self._scale
    if self._drop and rng is not None:
      p = layers.dropout(_probabilities(query, keys), self._drop, rng)
      return self.output_dense(_weighted_sum(p, values))
    return self.output_dense(attend(query, keys, values))
