"""The decoder's output and its training loss (Algorithm 1).

Each class is one parameterization of the paper's ablation. `channels` is the
width of the decoder's output, `x_0` turns the output into analog bits, and
`loss` is the unweighted loss of every pixel and group (class, instance).

Shapes: `out` `[B, h, w, channels]`; `x_0`, `x_t` and `eps` `[B, h, w, 2 * n]`;
`label_map` int32 `[B, h, w, 2]`; losses float32 `[B, h, w, 2]`. `gamma`
broadcasts against `x_t`.
"""

import math

import tensorflow as tf
import tf_keras

from configs import choices
from models import bits
from models.blocks import gradients, layers, recompute

# More logits than these (64 MiB in float32) are made and used in blocks.
_MAX_LOGITS = 2**24


def _entropy(logits, labels):
  """The op for logits `[n, k]`, which returns loss and gradient."""
  return tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(
    features=tf.cast(logits, tf.float32), labels=labels
  )


@gradients.custom_gradient
def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
  """Cross entropy that keeps the logits alone for its gradient.

  Args:
    logits: Float `[..., k]`, for which the computation is in float32.
    labels: int32 `[...]`.

  Returns:
    float32 `[...]`.
  """
  flat = tf.reshape(labels, [-1])

  def gradient(d_loss):
    (again,) = recompute.after([logits], [d_loss])
    again = tf.reshape(again, [-1, logits.shape[-1]])
    d_logits = _entropy(again, flat).backprop * tf.reshape(d_loss, [-1, 1])
    d_logits = tf.reshape(d_logits, [-1, *logits.shape[1:]])
    return tf.cast(d_logits, logits.dtype), None

  loss = _entropy(tf.reshape(logits, [-1, logits.shape[-1]]), flat).loss
  return tf.reshape(loss, [-1, *labels.shape[1:]]), gradient


def cross_entropy_in_blocks(
  features: tf.Tensor,
  kernel: tf.Tensor,
  bias: tf.Tensor,
  labels: tf.Tensor,
  count: int,
) -> tf.Tensor:
  """Cross entropy of the logits `features kernel + bias`, never made whole.

  The 2 x 256 logits of each pixel would be the largest values of a network. A
  block of pixels is computed for the loss, and again for its gradient.

  Args:
    features: `[B, h, w, c]`, of known shape.
    kernel: `[c, 2 * k]`.
    bias: `[2 * k]`.
    labels: int32 `[B, h, w, 2]`.
    count: Number of blocks, a divisor of the pixels.

  Returns:
    float32 `[B, h, w, 2]`.
  """
  shape, dtype = labels.shape, features.dtype
  classes = kernel.shape[1] // shape[-1]
  flat = tf.reshape(labels, [count, -1])
  size = flat.shape[1]

  def split(x):
    return tf.reshape(x, [count, -1, x.shape[-1]])

  def entropy(rows, kernel, bias, labels):
    logits = tf.nn.bias_add(tf.matmul(rows, kernel), bias)
    return _entropy(tf.reshape(logits, [-1, classes]), labels)

  @gradients.custom_gradient
  def run(features, kernel, bias):
    loss = tf.map_fn(
      lambda block: entropy(block[0], kernel, bias, block[1]).loss,
      (split(features), flat),
      fn_output_signature=tf.TensorSpec([size], tf.float32),
      parallel_iterations=1,
    )

    def gradient(d_loss):
      blocks = split(features)
      d_losses = tf.reshape(d_loss, [count, size, 1])

      def step(i, d_features, d_kernel, d_bias):
        rows = blocks[i]
        # The op returns its gradient as well.
        d_logits = entropy(rows, kernel, bias, flat[i]).backprop * d_losses[i]
        d_logits = tf.reshape(d_logits, [-1, kernel.shape[1]])
        d_bias += tf.reduce_sum(d_logits, 0)
        d_logits = tf.cast(d_logits, dtype)
        of_kernel = tf.matmul(rows, d_logits, transpose_a=True)
        d_rows = tf.matmul(d_logits, kernel, transpose_b=True)
        d_kernel += tf.cast(of_kernel, tf.float32)
        return i + 1, d_features.write(i, d_rows), d_kernel, d_bias

      d_features = tf.TensorArray(dtype, count, element_shape=blocks.shape[1:])
      _, d_features, d_kernel, d_bias = tf.while_loop(
        lambda i, *_: i < count,
        step,
        (
          tf.constant(0),
          d_features,
          tf.zeros_like(kernel, tf.float32),
          tf.zeros_like(bias, tf.float32),
        ),
        parallel_iterations=1,
        maximum_iterations=count,
      )
      d_features = tf.reshape(d_features.stack(), features.shape)
      return d_features, tf.cast(d_kernel, dtype), tf.cast(d_bias, dtype)

    return tf.reshape(loss, shape), gradient

  return run(features, kernel, bias)


class Softmax:
  """Cross entropy of 2**n-way logits against the integer labels."""

  def __init__(self, n: int, b: float):
    self.n, self.b = n, b
    self.channels = 2 * 2**n

  def logits(self, out: tf.Tensor) -> tf.Tensor:
    """The output by groups, `[B, h, w, 2, 2**n]`."""
    return tf.reshape(out, [-1, *out.shape[1:3], 2, 2**self.n])

  def x_0(self, out, x_t, gamma):
    logits = tf.cast(self.logits(out), tf.float32)
    return bits.expected_bits(logits, self.n, self.b)

  def loss(self, out, label_map, x_0, x_t, eps, gamma):
    return cross_entropy(self.logits(out), label_map)

  def num_blocks(self, features: tf.Tensor, pixels: int = 1) -> int:
    """In how many blocks the loss of features `[B, h, w, c]` is computed.

    Args:
      features: Their shape counts.
      pixels: Of the mask, for each of the features.
    """
    batch, height, width, _ = features.shape
    if batch is None:  # A trace that is not trained with.
      return 1
    rows = batch * height * width
    needed = math.ceil(rows * pixels * self.channels / _MAX_LOGITS)
    return next(n for n in range(needed, rows + 1) if rows % n == 0)

  def loss_of_features(
    self, features: tf.Tensor, conv: tf_keras.layers.Conv2D, label_map
  ) -> tf.Tensor:
    """The loss of an output that is a 1x1 convolution of features.

    Args:
      features: `[B, h / stride, w / stride, C]`.
      conv: Its output has the channels of stride x stride pixels.
      label_map: int32 `[B, h, w, 2]`.

    Returns:
      float32 `[B, h, w, 2]`.
    """
    stride = label_map.shape[1] // features.shape[1]
    labels = layers.space_to_depth(label_map, stride)
    count = self.num_blocks(features, stride**2)
    if count == 1:
      out = conv(features)
      logits = tf.reshape(out, [-1, *labels.shape[1:], 2**self.n])
      loss = cross_entropy(logits, labels)
    else:
      kernel = tf.cast(conv.kernel[0, 0], features.dtype)
      bias = tf.cast(conv.bias, features.dtype)
      loss = cross_entropy_in_blocks(features, kernel, bias, labels, count)
    return layers.depth_to_space(loss, stride)


class _PerBit:
  """Parameterizations with one output for each analog bit."""

  def __init__(self, n: int, b: float):
    self.n, self.b = n, b
    self.channels = 2 * n

  def mean_of_groups(self, per_bit: tf.Tensor) -> tf.Tensor:
    shape = [-1, *per_bit.shape[1:3], 2, self.n]
    return tf.reduce_mean(tf.reshape(per_bit, shape), -1)


class Sigmoid(_PerBit):
  """Cross entropy of every bit: -log sigmoid(logit * x_0 / b)."""

  def x_0(self, out, x_t, gamma):
    return (2 * tf.sigmoid(tf.cast(out, tf.float32)) - 1) * self.b

  def loss(self, out, label_map, x_0, x_t, eps, gamma):
    margin = tf.cast(out, tf.float32) * x_0 / self.b
    return self.mean_of_groups(-tf.math.log_sigmoid(margin))


class X(_PerBit):
  """Squared error of x_0."""

  def x_0(self, out, x_t, gamma):
    return tf.cast(out, tf.float32)

  def loss(self, out, label_map, x_0, x_t, eps, gamma):
    return self.mean_of_groups((tf.cast(out, tf.float32) - x_0) ** 2)


class Eps(_PerBit):
  """Squared error of the noise."""

  def x_0(self, out, x_t, gamma):
    eps = tf.cast(out, tf.float32)
    return tf.math.rsqrt(gamma) * (x_t - tf.sqrt(1 - gamma) * eps)

  def loss(self, out, label_map, x_0, x_t, eps, gamma):
    return self.mean_of_groups((tf.cast(out, tf.float32) - eps) ** 2)


class V(_PerBit):
  """Squared error of v = sqrt(gamma) eps - sqrt(1 - gamma) x_0.

  Salimans and Ho, "Progressive distillation", arXiv 2202.00512.
  """

  def x_0(self, out, x_t, gamma):
    v = tf.cast(out, tf.float32)
    return tf.sqrt(gamma) * x_t - tf.sqrt(1 - gamma) * v

  def loss(self, out, label_map, x_0, x_t, eps, gamma):
    v = tf.sqrt(gamma) * eps - tf.sqrt(1 - gamma) * x_0
    return self.mean_of_groups((tf.cast(out, tf.float32) - v) ** 2)


Parameterization = Softmax | Sigmoid | X | Eps | V
PARAMETERIZATIONS: dict[str, type[Parameterization]] = {
  'softmax': Softmax,
  'sigmoid': Sigmoid,
  'x': X,
  'eps': Eps,
  'v': V,
}


def parameterization(name: str, n: int, b: float) -> Parameterization:
  """The parameterization of a name, for `n` bits per channel scaled by `b`.

  Raises:
    ValueError: For an unknown name.
  """
  return choices.choose(PARAMETERIZATIONS, name, 'parameterization')(n, b)


def instance_size_weight(ids: tf.Tensor, n: int, p: float) -> tf.Tensor:
  """Weights that favour the pixels of small instances (section 3.2).

  w = (1 / (c + 1))**p, where c is the number of pixels with this pixel's id in
  its image, normalised to mean 1 per image. Counts are segment sums, because a
  one-hot over ids would take h * w * 2**n floats per image.

  Args:
    ids: Instance ids below 2**n, int32 `[B, h, w]`.
    n: Bits per id.
    p: Exponent; 0 weighs all pixels alike.

  Returns:
    float32 `[B, h, w]`.
  """
  batch = layers.batch_size(ids)
  keys = tf.reshape(ids + tf.range(batch)[:, None, None] * 2**n, [-1])
  ones = tf.ones_like(keys, tf.float32)
  counts = tf.math.unsorted_segment_sum(ones, keys, batch * 2**n)
  weight = (1.0 / (tf.gather(counts, keys) + 1.0)) ** p
  weight = tf.reshape(weight, [-1, *ids.shape[1:]])
  return weight / tf.reduce_mean(weight, [1, 2], keepdims=True)
