"""Fixtures that start TensorFlow in one of two ways."""

import pytest

from training import strategy as strategy_lib

try:
  # Before any test starts TensorFlow, which fixes the devices.
  _TWO_CPUS = strategy_lib.create('mirrored', num_virtual_devices=2)
except RuntimeError:
  _TWO_CPUS = None


@pytest.fixture
def two_cpus():
  """A MirroredStrategy over two virtual CPUs."""
  if _TWO_CPUS is None:
    pytest.skip('TensorFlow was started before with one CPU device')
  return _TWO_CPUS


@pytest.fixture
def one_device():
  """The strategy of one device."""
  return strategy_lib.create('one_device')
