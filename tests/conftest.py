"""Fixtures that start TensorFlow in one of two ways."""

import gc

import plain_graphs
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

from training import strategy as strategy_lib

# Tracing causes many collections of garbage, and there is little of it; in what
# was imported there is none.
gc.set_threshold(50_000, 10, 10)
gc.freeze()

try:
  # Before any test starts TensorFlow, which fixes the devices.
  _TWO_CPUS = strategy_lib.create('mirrored', num_virtual_devices=2)
except RuntimeError:
  _TWO_CPUS = None


@pytest.fixture(autouse=True)
def graphs(request, monkeypatch):
  """Leaves out of graphs what only tests of the marker `rewritten` have."""
  rewritten = request.node.get_closest_marker('rewritten') is not None
  plain_graphs.rewrite(rewritten)
  if not rewritten:
    plain_graphs.leave_stacks_out(monkeypatch.setattr)


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
  gc.freeze()  # What later tests share, such as networks.


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
