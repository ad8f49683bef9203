"""Fixtures that start TensorFlow in one of two ways."""

import gc

import pytest
import tensorflow as tf
from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.framework import ops
from tensorflow.python.util import tf_stack

from training import strategy as strategy_lib

# Tracing causes many collections of garbage, and there is little of it.
gc.set_threshold(50_000, 10, 10)

_STACKS = (
  (tf_stack, 'extract_stack'),
  (pywrap_tf_session, 'TF_SetOpStackTrace'),
)

try:
  # Before any test starts TensorFlow, which fixes the devices.
  _TWO_CPUS = strategy_lib.create('mirrored', num_virtual_devices=2)
except RuntimeError:
  _TWO_CPUS = None


@pytest.fixture(autouse=True)
def plain_graphs(request, monkeypatch):
  """Leaves out what a run does to graphs, half of a test's time.

  TensorFlow rewrites them, and keeps for each op the stack of Python that made
  it, for its messages. Tests of the marker `rewritten`, and programs that tests
  start, have both.
  """
  off = request.node.get_closest_marker('rewritten') is None
  tf.config.optimizer.set_experimental_options({'disable_meta_optimizer': off})
  if off:
    for module, name in _STACKS:
      monkeypatch.setattr(module, name, lambda *args, **kwargs: None)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
  """Keeps the indices of read-only data out of the user's cache."""
  cache = tmp_path_factory.getbasetemp() / 'cache'
  monkeypatch.setenv('XDG_CACHE_HOME', str(cache))
  return cache


@pytest.fixture(autouse=True, scope='module')
def free_graphs():
  """Frees the graphs of a module, which custom gradients would keep."""
  registered = ops.gradient_registry._registry
  before = set(registered)
  yield
  for name in set(registered) - before:
    if name.startswith('CustomGradient-'):
      del registered[name]
  gc.collect()


@pytest.fixture
def two_cpus():
  """A MirroredStrategy over two virtual CPUs."""
  if _TWO_CPUS is None:
    pytest.skip('TensorFlow was started before with one CPU device')
  return _TWO_CPUS


@pytest.fixture
def one_device(monkeypatch):
  """The strategy of one device, as exacting as that of TPUs."""
  run = tf.distribute.OneDeviceStrategy.run

  def run_with_tensors(self, fn, args=(), kwargs=None, options=None):
    for leaf in tf.nest.flatten((args, kwargs or {})):
      assert tf.is_tensor(leaf), f'{leaf!r} is not a tensor, which TPUs require'
    return run(self, fn, args, kwargs, options)

  monkeypatch.setattr(tf.distribute.OneDeviceStrategy, 'run', run_with_tensors)
  return strategy_lib.create('one_device')
