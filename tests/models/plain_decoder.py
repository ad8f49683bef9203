"""The mask decoder as it is drawn, from a decoder's own weights.

Nothing is computed beforehand: one convolution takes the concatenated inputs,
and time embedding, keys and values are computed at every call. Norms and
attention are written with other operations than the network's own.
"""

import math

import tensorflow as tf

from models import layers


def denoise(model, encoded, x_t, gamma, past_bits=None):
  """What `Pix2SeqD.denoise` gives, for `encoded` images.

  Args:
    model: a `Pix2SeqD`.
    encoded: from its `encode`.
    x_t: `[B, h, w, 2 * n]`.
    gamma: `[B]`.
    past_bits: analog bits of past masks, or None.

  Returns:
    `[B, h, w, channels]`.
  """
  decoder, config = model.decoder, model.config.decoder
  inputs = [x_t]
  if 'concat' in model.config.conditioning:
    inputs.append(encoded.features)
  if past_bits is not None:
    inputs.append(past_bits)
  x = tf.nn.conv2d(tf.concat(inputs, -1), decoder.conv_in.kernel, 1, 'SAME')
  x = _group_norm(decoder.gn_in, x + decoder.conv_in.bias)

  code = layers.position_code_1d(gamma * config.time_scaling, config.dim)
  embedding = decoder.time_embedding.dense_0(code)
  embedding = decoder.time_embedding.dense_1(tf.nn.silu(embedding))
  embedding = tf.nn.silu(embedding)

  skips = [x]
  last = len(decoder.down_blocks) - 1
  for level, blocks in enumerate(decoder.down_blocks):
    for block in blocks:
      x = _block(block, x, embedding)
      skips.append(x)
    if level < last:
      x = decoder.down_convs[level](x)
      skips.append(x)
  x = _middle(decoder.middle, x, embedding, encoded.tokens)
  for level in range(last, -1, -1):
    for block in decoder.up_blocks[level]:
      x = _block(block, tf.concat([x, skips.pop()], -1), embedding)
    if level:
      size = [2 * x.shape[1], 2 * x.shape[2]]
      x = tf.image.resize(x, size, 'nearest')
      x = decoder.up_convs[level - 1](x)
  assert not skips
  return decoder.conv_out(tf.nn.silu(_group_norm(decoder.gn_out, x)))


def _group_norm(norm, x, width=None):
  _, height, columns, channels = x.shape
  groups = min((width or channels) // 4, 32)
  grouped = tf.reshape(x, [-1, height, columns, groups, channels // groups])
  mean, variance = tf.nn.moments(grouped, [1, 2, 4], keepdims=True)
  grouped = (grouped - mean) / tf.sqrt(variance + 1e-5)
  return tf.reshape(grouped, [-1, *x.shape[1:]]) * norm.gamma + norm.beta


def _block(block, x, embedding):
  y = block.conv_0(tf.nn.silu(_group_norm(block.gn_0, x)))
  scale, shift = tf.split(block.modulation(embedding)[:, None, None], 2, -1)
  y = _group_norm(block.gn_1, y) * (1 + scale) + shift
  y = block.conv_1(tf.nn.silu(y))
  skip = x if block.skip is None else block.skip(x)
  return (y + skip) / math.sqrt(2)


def _middle(middle, x, embedding, tokens):
  _, rows, columns, _ = x.shape
  dim = middle.conv_in.filters
  x = middle.conv_in(_group_norm(middle.gn_in, x, dim))
  x = tf.reshape(x, [-1, rows * columns, dim])
  x += layers.position_code_2d(rows, columns, dim)
  x = tf.concat([x, middle.token(embedding)[:, None]], 1)
  for layer in middle.transformer:
    y = layer.self_ln(x)
    x += _attention(layer.self_attention, y, y)
    if layer.cross_attention is not None:
      x += _attention(layer.cross_attention, layer.cross_ln(x), tokens)
    y = layer.mlp.dense1(layer.mlp.ln(x))
    x += layer.mlp.dense2(y * 0.5 * (1 + tf.math.erf(y / math.sqrt(2))))
  x = tf.reshape(x[:, :-1], [-1, rows, columns, dim])
  return middle.conv_out(_group_norm(middle.gn_out, x, dim))


def _attention(attention, x, memory):
  def project(part, y):
    kernel = part.kernel[None]
    return tf.einsum('bsd,adhe->bhse', y, kernel) + part.bias[None, :, None]

  q = project(attention.query, x)
  k, v = project(attention.key, memory), project(attention.value, memory)
  p = tf.nn.softmax(tf.matmul(q, k, transpose_b=True) / math.sqrt(q.shape[-1]))
  y = tf.einsum('bhse,hed->bsd', tf.matmul(p, v), attention.output_dense.kernel)
  return y + attention.output_dense.bias
