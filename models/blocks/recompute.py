"""Parts of a network that are computed again for their gradients.

The backward pass needs the values inside a layer. Kept from the forward pass,
they take most of the memory of training. A `Recomputable` layer keeps only its
inputs, and computes the rest again for its gradient.
"""

import threading
from collections.abc import Sequence

import tensorflow as tf
import tf_keras
from tensorflow.compiler.tf2xla.ops import gen_xla_ops
from tensorflow.python.ops import control_flow_util

from models import prng
from models.blocks import gradients

# Replicas are traced in threads of their own.
_thread = threading.local()


def is_recomputing() -> bool:
  """Whether this is a second pass, which must assign nothing."""
  return getattr(_thread, 'recomputing', False)


def after(
  values: Sequence[tf.Tensor], others: Sequence[tf.Tensor]
) -> list[tf.Tensor]:
  """The same values, but not before the others are there.

  What is computed from them is computed anew: no optimizer of graphs takes it
  for what was computed from `values`.
  """
  if control_flow_util.GraphOrParentsInXlaContext(
    tf.compat.v1.get_default_graph()
  ):
    # XLA knows no control dependencies.
    ordered = gen_xla_ops.xla_optimization_barrier([*values, *others])
    return ordered[: len(values)]
  with tf.control_dependencies(others):
    return [tf.identity(value) for value in values]


class Recomputable(tf_keras.layers.Layer):
  """A layer with an output that is computed again where `recompute` is set.

  The numbers are the same with and without, dropout's too, and batch statistics
  are kept once.

  Attributes:
    recompute: Set it after the weights were built.
  """

  recompute = False

  def __call__(self, *inputs, rng: prng.Rng | None = None, **options):
    """Calls the layer.

    Args:
      *inputs: Float tensors, structures of them, or None.
      rng: Random numbers for dropout; only for layers that take them.
      **options: Arguments without gradients.

    Returns:
      A tensor.
    """
    call = super().__call__
    if rng is not None:
      options['rng'] = rng
    if not self.recompute:
      return call(*inputs, **options)
    start = None if rng is None else rng.copy()
    flat = tf.nest.flatten(inputs)

    def compute(tensors):
      tensors = iter(tensors)
      values = [None if value is None else next(tensors) for value in flat]
      return call(*tf.nest.pack_sequence_as(inputs, values), **options)

    @gradients.custom_gradient
    def run(*tensors):
      y = compute(tensors)

      def gradient(d_y, variables=()):
        again = after(tensors, [d_y])
        if start is not None:
          options['rng'] = start.copy()
        with tf.GradientTape() as tape:
          tape.watch(again)
          _thread.recomputing = True
          try:
            y = compute(again)
          finally:
            _thread.recomputing = False
        found = tape.gradient(
          y, [*again, *variables], d_y, unconnected_gradients='zero'
        )
        of_inputs = found[: len(again)]
        return (of_inputs, found[len(again) :]) if variables else of_inputs

      return y, gradient

    return run(*(value for value in flat if value is not None))


def set_recompute(model: tf_keras.Model, on: bool) -> None:
  """Switches recomputation for all layers of a model that can do it."""
  for layer in model.submodules:
    if isinstance(layer, Recomputable):
      layer.recompute = on
