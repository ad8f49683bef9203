"""The decoder's output and its training loss (Algorithm 1).

Each class is one parameterization of the paper's ablation. `channels` is the
width of the decoder's output, `x_0` turns the output into analog bits, and
`loss` is the unweighted loss of every pixel and group (class, instance).

Shapes: `out` `[B, h, w, channels]`; `x_0`, `x_t` and `eps` `[B, h, w, 2 * n]`;
`label_map` int32 `[B, h, w, 2]`; losses float32 `[B, h, w, 2]`. `gamma`
broadcasts against `x_t`.
"""

import tensorflow as tf

from configs import choices
from models import bits
from models.blocks import layers, recompute

# More logits than these (64 MiB in float32) are taken in blocks.
_MAX_LOGITS = 2**24


@tf.custom_gradient
def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
  """Cross entropy that keeps the logits alone for its gradient.

  Args:
    logits: Float `[..., k]`, for which the computation is in float32.
    labels: int32 `[...]`.

  Returns:
    float32 `[...]`.
  """
  num_classes = logits.shape[-1]

  def block(logits, labels):
    return tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(
      features=tf.cast(logits, tf.float32), labels=labels
    )

  def gradient(d_loss):
    (again,) = recompute.after([logits], [d_loss])

    def of_block(arguments):
      logits, labels, d_loss = arguments
      # The op returns its gradient as well.
      d_logits = block(logits, labels).backprop * d_loss[:, None]
      return tf.cast(d_logits, again.dtype)

    arguments = (tf.reshape(again, [-1, num_classes]), labels, d_loss)
    row = tf.TensorSpec([num_classes], again.dtype)
    d_logits = _by_blocks(of_block, arguments, row)
    return tf.reshape(d_logits, [-1, *logits.shape[1:]]), None

  arguments = (tf.reshape(logits, [-1, num_classes]), labels)
  row = tf.TensorSpec([], tf.float32)
  loss = _by_blocks(lambda block_: block(*block_).loss, arguments, row)
  return tf.reshape(loss, [-1, *labels.shape[1:]]), gradient


def _by_blocks(function, arguments, row: tf.TensorSpec) -> tf.Tensor:
  """A function of rows `[n, k], [n], ...`, in as many parts as memory needs."""
  first, *others = arguments
  arguments = (first, *(tf.reshape(x, [-1]) for x in others))
  rows, columns = first.shape
  count = 1
  # Rows of an unknown number are those of a trace that is not trained with.
  while rows is not None and rows * columns > count * _MAX_LOGITS:
    count += 1
    while rows % count:
      count += 1
  if count == 1:
    return function(arguments)
  blocks = [tf.reshape(x, [count, -1, *x.shape[1:]]) for x in arguments]
  result = tf.map_fn(
    function,
    tuple(blocks),
    fn_output_signature=tf.TensorSpec(
      [blocks[0].shape[1], *row.shape], row.dtype
    ),
    parallel_iterations=1,
  )
  return tf.reshape(result, [-1, *row.shape])


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


Parameterization = Softmax | Sigmoid | X | Eps
PARAMETERIZATIONS: dict[str, type[Parameterization]] = {
  'softmax': Softmax,
  'sigmoid': Sigmoid,
  'x': X,
  'eps': Eps,
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
