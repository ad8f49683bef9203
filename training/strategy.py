"""Where a run computes: one device, several, several machines, or TPUs."""

import math
import os
from collections.abc import Callable

import tensorflow as tf

from configs import base
from training import log

NAMES = ('one_device', 'mirrored', 'multi_worker', 'tpu')


def create(
  name: str, tpu: str = '', num_virtual_devices: int = 0
) -> tf.distribute.Strategy:
  """Creates a distribution strategy; call it before any other TensorFlow op.

  Args:
    name: One of `NAMES`. `mirrored` takes all GPUs of this machine;
      `multi_worker` reads the cluster from the environment's TF_CONFIG.
    tpu: Name or address of the TPU; 'local' on a TPU VM.
    num_virtual_devices: `mirrored` only: split the CPU into this many devices,
      to try data parallelism without accelerators. 0: do not.

  Returns:
    The strategy.

  Raises:
    ValueError: If the name is unknown or the options do not fit it.
  """
  if name not in NAMES:
    raise ValueError(
      f'Unknown strategy {name!r}; choose one of {", ".join(NAMES)}.'
    )
  if num_virtual_devices and name != 'mirrored':
    raise ValueError(
      '--num_virtual_devices splits the CPU for --strategy=mirrored; '
      f'it has no meaning for --strategy={name}.'
    )
  if name == 'one_device':
    gpus = tf.config.list_logical_devices('GPU')
    return tf.distribute.OneDeviceStrategy('/gpu:0' if gpus else '/cpu:0')
  if name == 'mirrored':
    return tf.distribute.MirroredStrategy(_virtual_cpus(num_virtual_devices))
  if name == 'multi_worker':
    if 'TF_CONFIG' not in os.environ:
      raise ValueError(
        '--strategy=multi_worker needs the environment variable TF_CONFIG '
        'with the cluster and the task of this process.'
      )
    # TensorFlow logs thousands of lines while variables are created.
    tf.get_logger().setLevel('WARNING')
    return tf.distribute.MultiWorkerMirroredStrategy()
  if not tpu:
    raise ValueError(
      '--strategy=tpu needs --tpu, the name or address of the TPU.'
    )
  return _tpu_strategy(tpu)


def _tpu_strategy(tpu: str) -> tf.distribute.Strategy:
  try:
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu)
    if tpu != 'local':
      tf.config.experimental_connect_to_cluster(resolver)
    tf.tpu.experimental.initialize_tpu_system(resolver)
  except (tf.errors.OpError, OSError) as error:
    if 'No OpKernel was registered' in str(error):
      raise ValueError(
        'This TensorFlow cannot drive TPUs: replace the package tensorflow by '
        f'tensorflow-tpu=={tf.__version__} (see docs/accelerators.md).'
      ) from error
    first_line = str(error).strip().partition('\n')[0]
    raise ValueError(
      f'No TPU answers to --tpu={tpu} ({first_line}): give the name of one '
      "that is running, or 'local' on a TPU VM."
    ) from error
  return tf.distribute.TPUStrategy(resolver)


def _virtual_cpus(count: int) -> list[str] | None:
  if not count:
    return None
  cpu = tf.config.list_physical_devices('CPU')[0]
  tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * count
  )
  return [f'/cpu:{i}' for i in range(count)]


def describe(strategy: tf.distribute.Strategy) -> str:
  """Returns a line that lists the devices on which this process computes."""
  devices = [
    device.rsplit('device:', 1)[-1]
    for device in strategy.extended.worker_devices
  ]
  return f'Computing on {", ".join(devices)}.'


def is_chief(strategy: tf.distribute.Strategy) -> bool:
  """Whether this process is the one that writes files."""
  return strategy.extended.should_save_summary


def is_multi_worker(strategy: tf.distribute.Strategy) -> bool:
  """Whether several processes run the same program."""
  return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def compiles_exchange(strategy: tf.distribute.Strategy) -> bool:
  """Whether XLA can compile what replicas exchange: on TPUs, or nothing."""
  is_tpu = isinstance(strategy, tf.distribute.TPUStrategy)
  return is_tpu or strategy.num_replicas_in_sync == 1


def fill_replicas(config: base.Evaluation, num_replicas: int) -> None:
  """Raises the batch of evaluation to a multiple of the replicas, and says so.

  Scores do not depend on the batch: examples that fill it up are not scored.

  Args:
    config: Its `batch_size` is changed.
    num_replicas: Devices that share a batch, over all workers.
  """
  size = config.batch_size
  config.batch_size = math.ceil(size / num_replicas) * num_replicas
  if config.batch_size != size:
    log.log(
      f'evaluation.batch_size is raised from {size} to {config.batch_size}, a '
      f'multiple of {num_replicas} replicas.'
    )


def distribute_dataset(
  strategy: tf.distribute.Strategy,
  dataset_fn: Callable[[tf.distribute.InputContext], tf.data.Dataset],
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
  """Splits the batches of each worker among its replicas.

  Args:
    strategy: The strategy.
    dataset_fn: Makes the batches of one worker.

  Returns:
    A distributed dataset; for a single CPU the data set itself. Replica r of a
    worker gets the r-th part of a batch, so the examples of a step do not
    depend on the number of replicas.
  """

  def replica_batches(context):
    dataset = dataset_fn(context)
    replicas = context.num_replicas_in_sync // context.num_input_pipelines
    if replicas == 1:
      return dataset
    rows = tf.nest.flatten(dataset.element_spec)[0].shape[0]
    dataset = dataset.rebatch(rows // replicas, drop_remainder=True)
    return dataset.prefetch(replicas)

  if (
    isinstance(strategy, tf.distribute.OneDeviceStrategy)
    and 'CPU' in strategy.extended.worker_devices[0]
  ):
    # A distributed dataset would copy batches by iterators of its own. They
    # are tuned by threads, for which their deletion waits up to a minute.
    return replica_batches(tf.distribute.InputContext())
  return strategy.distribute_datasets_from_function(replica_batches)
