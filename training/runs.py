"""Several evaluations of one checkpoint, each with noise of its own."""

import hashlib
import json
from typing import Dict, Sequence

import numpy as np
import tensorflow as tf

from configs import base
from training import files

# They leave the scores of a run as they are. (So does `write_results`, but runs
# that wrote no files are to be made again where files are asked for.)
_IRRELEVANT = ('runs', 'num_pictures', 'batch_size', 'every')


def key(config: base.Experiment, checkpoint: str) -> str:
  """Names what decides the scores of a run, but for its number.

  Args:
    config: the experiment.
    checkpoint: the one to be scored; '' for `training.init_checkpoint`.
  """
  evaluation = config.evaluation.as_dict()
  for name in _IRRELEVANT:
    del evaluation[name]
  scored = [checkpoint] if checkpoint else config.training.init_checkpoint
  parts = [
    [_content(path) for path in scored],
    *(config.training.init_weights, config.training.precision),
    *(config.task, config.model.as_dict(), config.data.as_dict(), evaluation),
  ]
  text = json.dumps(parts, sort_keys=True, default=list)
  return hashlib.sha256(text.encode()).hexdigest()[:16]


def _content(checkpoint: str) -> str:
  """What a checkpoint holds, whatever its name; else its name.

  Its index has a checksum of every weight.
  """
  if tf.io.gfile.isdir(checkpoint):
    checkpoint = tf.train.latest_checkpoint(checkpoint) or checkpoint
  index = f'{checkpoint}.index'
  if not tf.io.gfile.exists(index):
    return checkpoint
  with tf.io.gfile.GFile(index, 'rb') as file:
    return hashlib.sha256(file.read()).hexdigest()


def read(path: str, of_key: str) -> Dict[int, Dict[str, float]]:
  """The scores of the runs in a record that have this key, by their number."""
  return {
    line['run']: line['metrics']
    for line in files.read_json_lines(path)
    if line['key'] == of_key
  }


def append(path: str, key: str, run: int, metrics: Dict[str, float]) -> None:
  """Adds a run that is through to the record."""
  files.append_json(path, {'key': key, 'run': run, 'metrics': metrics})


def summarize(scores: Sequence[Dict[str, float]]) -> Dict[str, float]:
  """Means of two or more runs by name, and standard deviations, `<name>_std`.

  The deviations are divided by the number of runs less one.
  """
  summary = {}
  for name in scores[0]:
    values = [score[name] for score in scores]
    summary[name] = float(np.mean(values))
    summary[f'{name}_std'] = float(np.std(values, ddof=1))
  return summary
