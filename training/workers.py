"""Makes sure that all workers of a run do the same."""

import json

import tensorflow as tf

from configs import base, loading
from training import strategy as strategy_lib

# Folders of the data may differ from machine to machine.
_OWN = ('data.dir', 'training.init_checkpoint')


def check_same(
  strategy: tf.distribute.Strategy, config: base.Experiment, **more: str
) -> None:
  """Refuses workers that were started differently; all must call it.

  Args:
    strategy: With one process, nothing is checked.
    config: The experiment as this worker was told.
    **more: What else must be the same, such as the mode, by name.

  Raises:
    ValueError: On every worker, if one differs from the first; names the
      fields with both values.
  """
  if not strategy_lib.is_multi_worker(strategy):
    return
  fields = {**loading.flat(config), **more}
  mine = {name: fields[name] for name in sorted(fields) if name not in _OWN}
  worker = f'worker {strategy.cluster_resolver.task_id}'
  texts = _gather(strategy, json.dumps([worker, mine]))
  (chief, first), *others = [json.loads(text) for text in texts]
  for name, other in others:
    differences = [
      f'{field} is {first.get(field)} on {chief} and {other.get(field)} on it'
      for field in sorted(first.keys() | other.keys())
      if first.get(field) != other.get(field)
    ]
    if differences:
      raise ValueError(
        f'{name.capitalize()} was started differently from {chief}: '
        f'{"; ".join(differences)}. Start all with the same flags and files.'
      )


def _gather(strategy: tf.distribute.Strategy, text: str) -> list[str]:
  """The texts of all replicas, in their order."""

  @tf.function(autograph=False)
  def gather(row):
    per_replica = strategy.run(lambda: tf.identity(row))
    return strategy.gather(per_replica, axis=0)

  content = text.encode('utf-8')
  lengths = gather(tf.constant([len(content)])).numpy()
  # Collectives carry neither strings nor bytes.
  padded = list(content) + [0] * (max(lengths) - len(content))
  rows = gather(tf.constant([padded], tf.int32)).numpy()
  return [
    bytes(row[:length].tolist()).decode('utf-8')
    for row, length in zip(rows, lengths, strict=True)
  ]
