import numpy as np
import pytest
import tf_keras

from models.blocks import attention, transformer


def _draw(*shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _code(position, dim):
  """The 1-D embedding of one position, channel by channel."""
  code = [position / 10000 ** (2 * (i // 2) / dim) for i in range(dim)]
  return np.concatenate([np.sin(code[0::2]), np.cos(code[1::2])])


def test_position_code_of_a_grid():
  code = (
    transformer.sincos_position_embedding_2d(3, 5, 12)[0]
    .numpy()
    .reshape(3, 5, 12)
  )
  for i in range(3):
    for j in range(5):
      y, x = 2 * np.pi * i / 2, 2 * np.pi * j / 4
      expected = np.concatenate([_code(y, 6), _code(x, 6)])
      np.testing.assert_allclose(code[i, j], expected, atol=1e-6)


@pytest.mark.parametrize('shape', [(1, 4), (4, 1)])
def test_position_code_of_a_line_has_all_channels(shape):
  code = transformer.sincos_position_embedding_2d(*shape, 8)[0]
  expected = [_code(2 * np.pi * i / 3, 8) for i in range(4)]
  np.testing.assert_allclose(code, expected, atol=1e-6)


def test_position_code_of_a_single_place():
  np.testing.assert_allclose(
    transformer.sincos_position_embedding_2d(1, 1, 6)[0, 0], _code(0.0, 6)
  )


def test_attention_is_that_of_keras():
  ours = attention.Attention(heads=3, head_dim=4, dim=10)
  keras = tf_keras.layers.MultiHeadAttention(3, 4)
  x, memory = _draw(2, 5, 10), _draw(2, 7, 6, seed=1)
  ours(x, ours.keys_values(memory))
  keras(x, memory)
  for theirs, layer in (
    (keras._query_dense, ours.query),
    (keras._key_dense, ours.key),
    (keras._value_dense, ours.value),
    (keras._output_dense, ours.output_dense),
  ):
    weights = [_draw(*weight.shape, seed=2) for weight in theirs.get_weights()]
    theirs.set_weights(weights)
    layer.set_weights(weights)
  np.testing.assert_allclose(
    ours(x, ours.keys_values(memory)), keras(x, memory), rtol=1e-4, atol=1e-4
  )
