"""Several evaluations of one checkpoint, each with noise of its own."""

import hashlib
import json
import os
from typing import Dict, Sequence

import numpy as np
import tensorflow as tf

from configs import base

# They leave the scores of a run as they are.
_IRRELEVANT = ('runs', 'num_pictures', 'batch_size', 'every', 'write_results')


def key(config: base.Experiment, checkpoint: str) -> str:
  """Names what decides the scores of a run, but for its number."""
  evaluation = config.evaluation.as_dict()
  for name in _IRRELEVANT:
    del evaluation[name]
  parts = [
    *(os.path.abspath(checkpoint), list(config.training.init_checkpoint)),
    *(config.task, config.model.as_dict(), config.data.as_dict(), evaluation),
  ]
  text = json.dumps(parts, sort_keys=True, default=list)
  return hashlib.sha256(text.encode()).hexdigest()[:16]


def read(path: str, of_key: str) -> Dict[int, Dict[str, float]]:
  """The scores of the runs in a record that have this key, by their number."""
  if not tf.io.gfile.exists(path):
    return {}
  with tf.io.gfile.GFile(path) as file:
    # A line cut short by a kill has no end; its run is made again.
    lines = [json.loads(line) for line in file if line.endswith('}\n')]
  return {
    line['run']: line['metrics'] for line in lines if line['key'] == of_key
  }


def append(path: str, key: str, run: int, metrics: Dict[str, float]) -> None:
  """Adds a run that is through to the record."""
  tf.io.gfile.makedirs(os.path.dirname(path))
  line = json.dumps({'key': key, 'run': run, 'metrics': metrics})
  end = ''
  if tf.io.gfile.exists(path):
    with tf.io.gfile.GFile(path) as file:
      text = file.read()
    end = '' if not text or text.endswith('\n') else '\n'
  with tf.io.gfile.GFile(path, 'a') as file:
    file.write(f'{end}{line}\n')


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
