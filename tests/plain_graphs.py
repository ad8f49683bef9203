"""Graphs without what a run does to them, which takes half of a test's time."""

import tensorflow as tf
from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.util import tf_stack

_STACKS = (
  (tf_stack, 'extract_stack'),
  (pywrap_tf_session, 'TF_SetOpStackTrace'),
)


def rewrite(on: bool) -> None:
  """Says whether TensorFlow rewrites the graphs that are run from now on."""
  tf.config.optimizer.set_experimental_options(
    {'disable_meta_optimizer': not on}
  )


def leave_stacks_out(set_attribute=setattr) -> None:
  """Lets ops not keep the stack of Python that made them, for messages.

  Only for graphs that are not rewritten, which needs the stacks.
  """
  for module, name in _STACKS:
    set_attribute(module, name, lambda *args, **kwargs: None)
