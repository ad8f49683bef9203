"""Several evaluations of one checkpoint, each with its own noise."""

import hashlib
import json
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from configs import base, loading
from models import checkpoints
from training.run_folder import json_lines

# They leave the scores of a run as they are. (So does `write_results`, but runs
# that wrote no files are repeated where files are asked for.)
_IRRELEVANT = (*base.WITHOUT_SCORES, 'num_pictures', 'runs')
# Values of `data.source`; files and records hold the same examples.
_SOURCES = ('folder', 'tfds')


def keys(config: base.Experiment, checkpoint: str) -> tuple[str, ...]:
  """Returns keys of everything that decides the scores of a run but its number.

  They are hashes of the fields' old names, so that records stay valid when a
  field is renamed.

  Args:
    config: The experiment.
    checkpoint: The one to be scored; '' for `training.init_checkpoint`.

  Returns:
    The key of new runs, and others that mean the same.
  """
  values = loading.with_old_names(config)
  for name in _IRRELEVANT:
    values['evaluation'].pop(name, None)
  scored = [checkpoint] if checkpoint else config.training.init_checkpoint
  contents = [_content(path) for path in scored]

  def key(source, folder):
    values['data'] |= {'source': source, 'dir': folder}
    parts = [
      contents,
      *(config.training.init_weights, config.training.precision),
      *(values[name] for name in ('task', 'model', 'data', 'evaluation')),
    ]
    text = json.dumps(parts, sort_keys=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

  # Records may have `~` for the home folder.
  folder, home = config.data.dir, os.path.expanduser('~')
  folders = [folder]
  if folder.startswith(f'{home}/'):
    folders.append(f'~{folder.removeprefix(home)}')
  return tuple(key(source, f) for f in folders for source in _SOURCES)


def _content(checkpoint: str) -> str:
  """A hash of the weights of a checkpoint, or its name if it is not ours."""
  if tf.io.gfile.isdir(checkpoint):
    checkpoint = checkpoints.newest(checkpoint) or checkpoint
  index = f'{checkpoint}.index'  # It has a checksum of every weight.
  if not tf.io.gfile.exists(index):
    return checkpoint
  with tf.io.gfile.GFile(index, 'rb') as file:
    return hashlib.sha256(file.read()).hexdigest()


def read(path: str, of_keys: Sequence[str]) -> dict[int, dict[str, float]]:
  """Returns the scores of recorded runs with one of the keys, by run number."""
  return {
    line['run']: line['metrics']
    for line in json_lines.read(path)
    if line['key'] in of_keys
  }


def append(path: str, key: str, run: int, metrics: dict[str, float]) -> None:
  """Adds a finished run to the record."""
  json_lines.append(path, {'key': key, 'run': run, 'metrics': metrics})


def summarize(scores: Sequence[dict[str, float]]) -> dict[str, float]:
  """Means of two or more runs by name, and standard deviations, `<name>_std`.

  The deviations have one degree of freedom less than runs.
  """
  summary = {}
  for name in scores[0]:
    values = [score[name] for score in scores]
    summary[name] = float(np.mean(values))
    summary[f'{name}_std'] = float(np.std(values, ddof=1))
  return summary
