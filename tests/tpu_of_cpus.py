"""A TPUStrategy whose devices are CPUs: it traces as on a TPU, and never runs.

The strategy is TensorFlow's own. So all Python code that runs in the context of
a TPU's replica runs, and the graphs for the TPU are built.
"""

import collections

import numpy as np
import tensorflow as tf
from tensorflow.python.distribute import values
from tensorflow.python.tpu import tpu_system_metadata

_HOST = '/job:localhost/replica:0/task:0/device:'
_Device = collections.namedtuple('_Device', 'name device_type')


class _Resolver:
  """What a strategy asks of a cluster of TPUs."""

  def __init__(self, cores):
    self._cores = cores

  def get_tpu_system_metadata(self):
    return tpu_system_metadata.TPUSystemMetadata(
      num_cores=self._cores,
      num_hosts=1,
      num_of_cores_per_host=self._cores,
      topology=None,
      devices=[_Device(f'{_HOST}TPU:{i}', 'TPU') for i in range(self._cores)],
    )


def strategy(cores: int = 2) -> tf.distribute.Strategy:
  """The strategy; as many CPU devices must be there."""
  resolver = _Resolver(cores)
  made = tf.distribute.TPUStrategy(resolver)
  devices = [f'{_HOST}CPU:{i}' for i in range(cores)]
  host = devices[0]
  extended = made.extended
  extended._tpu_devices = np.array(devices, object)[:, None]
  extended._host_device = host
  extended._device_input_worker_devices = {host: devices}
  extended._host_input_worker_devices = {host: [host] * cores}
  extended._tpu_metadata = resolver.get_tpu_system_metadata()
  made._enable_packed_variable_in_eager_mode = False
  return made


def on_replicas(tensors, cores: int = 2):
  """Tensors as values that each replica has one of."""
  return tf.nest.map_structure(
    lambda x: values.PerReplica([tf.identity(x) for _ in range(cores)]), tensors
  )


def ops_in_clusters(function) -> collections.Counter:
  """How many ops of each type a traced function runs on TPUs."""
  graph = function.graph.as_graph_def()
  functions = {f.signature.name: f.node_def for f in graph.library.function}
  found: collections.Counter = collections.Counter()

  def add(nodes):
    for node in nodes:
      found[node.op] += 1
      for attribute in node.attr.values():
        if attribute.func.name:
          add(functions[attribute.func.name])

  for nodes in (graph.node, *functions.values()):
    add(node for node in nodes if '_tpu_replicate' in node.attr)
  return found
