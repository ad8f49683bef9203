"""The precision of a network's computations; its weights are float32."""

import contextlib
from collections.abc import Iterator

import tf_keras

# Keras' policies by `training.precision`.
POLICIES = {'float32': 'float32', 'bfloat16': 'mixed_bfloat16'}


@contextlib.contextmanager
def scope(precision: str) -> Iterator[None]:
  """Gives the layers that are made within it a precision.

  Args:
    precision: One of `POLICIES`.
  """
  before = tf_keras.mixed_precision.global_policy()
  tf_keras.mixed_precision.set_global_policy(POLICIES[precision])
  try:
    yield
  finally:
    tf_keras.mixed_precision.set_global_policy(before)
