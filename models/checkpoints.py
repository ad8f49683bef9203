"""Weights from checkpoints, by name.

The rule of what a run starts from, in this order:
  1. the newest checkpoint in its own model_dir, which restores everything
     (see `training`);
  2. else `training.init_checkpoint`: each file in turn gives the weights that
     it has, read by this module;
  3. else random weights.

Two formats are read: our own (`model/...`, and the averaged weights under
`ema/...`; or weights alone, see `checkpoint_file`), and the published
TensorFlow format of Pix2Seq, whose detection checkpoints hold an encoder and
whose panoptic ones hold everything (averaged weights under `encoder_ema`,
`encoder_fuse_ema` and `denoiser_ema`).
"""

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf
import tf_keras

from models import checkpoint_file, load_report, published_names

# Weights of a checkpoint: averaged or as trained.
WEIGHTS = ('ema', 'online')
_CONV_IN = 'decoder/conv_in/kernel'


def named_weights(model: tf_keras.Model) -> dict[str, tf.Variable]:
  """All weights by their object path, such as `decoder/conv_in/kernel`."""
  return dict(_walk(model, ''))


def _walk(value, path: str) -> Iterator[tuple[str, tf.Variable]]:
  if isinstance(value, tf.Variable):
    yield path, value
  elif isinstance(value, tf_keras.layers.Layer):
    for name, child in vars(value).items():
      if not name.startswith('_'):
        yield from _walk(child, f'{path}/{name}' if path else name)
  elif isinstance(value, list):
    for i, child in enumerate(value):
      yield from _walk(child, f'{path}/{i}')


def newest(folder: str) -> str | None:
  """The prefix of the newest checkpoint of a folder, or None if it has none.

  Raises:
    ValueError: If there are checkpoints, but no file that names the newest. A
      run that started afresh in this folder would delete them one by one.
  """
  path = tf.train.latest_checkpoint(folder)
  if path:
    return path
  left = tf.io.gfile.glob(os.path.join(folder, 'ckpt-*.index'))
  if left:
    names = [os.path.basename(path).removesuffix('.index') for path in left]
    name = max(names, key=lambda name: (len(name), name))  # By the step.
    raise ValueError(
      f'{folder} has {name}, but its file "checkpoint" is missing or names '
      'one that is gone: copy that file, too, or write into it '
      f'model_checkpoint_path: "{name}".'
    )
  return None


def find(path: str) -> str:
  """The prefix of a checkpoint, from a prefix or a folder (its newest).

  Raises:
    FileNotFoundError: If there is none.
    ValueError: As `newest`.
  """
  prefix = path.removesuffix('.index')
  if tf.io.gfile.exists(f'{prefix}.index'):
    return prefix
  if tf.io.gfile.isdir(path):
    found = newest(path)
    if found is None:
      raise FileNotFoundError(
        f'There is no checkpoint in the folder {path}: give a folder with a '
        "'checkpoint' file, or a path like "
        f'{os.path.join(path, "ckpt-1000")}.'
      )
    return found
  raise FileNotFoundError(
    f'There is no checkpoint at {path}: expected the file {prefix}.index; '
    'give a folder or a path like "<model_dir>/ckpt-1000".'
  )


def find_or_newest(path: str, model_dir: str) -> str | None:
  """The prefix of a given checkpoint, else of the newest one of a run.

  Args:
    path: A prefix or a folder; '' for the newest checkpoint of `model_dir`.
    model_dir: Folder of the run, or ''.

  Returns:
    The prefix, or None if no path is given and the run has no checkpoint.

  Raises:
    FileNotFoundError: If a path is given and there is no checkpoint.
    ValueError: As `newest`.
  """
  if path:
    return find(path)
  return newest(model_dir) if model_dir else None


def check_resumable(path: str) -> None:
  """Refuses a checkpoint from which no training can go on.

  Args:
    path: Its prefix.

  Raises:
    ValueError: If it holds weights alone, or is damaged.
  """
  if checkpoint_file.Reader(path).holds_weights_alone:
    folder = os.path.dirname(path)
    raise ValueError(
      f'The checkpoint {path} holds weights alone, so no training can go on '
      'from it: start one in another --model_dir, with '
      f'--params_override=training.init_checkpoint=[{folder}].'
    )


def did_you_mean(model_dir: str) -> str:
  """A hint at the run whose folder has the nearest name, or ''.

  Args:
    model_dir: Folder without checkpoints.

  Returns:
    " (did you mean '...'?)", to follow the folder's name.
  """
  parent, name = os.path.split(model_dir.rstrip('/'))
  folder = parent or '.'
  if not name or not tf.io.gfile.isdir(folder):
    return ''
  siblings = [entry.rstrip('/') for entry in tf.io.gfile.listdir(folder)]
  for near in difflib.get_close_matches(name, siblings, n=10, cutoff=0.5):
    path = os.path.join(parent, near)
    if near != name and tf.train.latest_checkpoint(path):
      return f' (did you mean {path!r}?)'
  return ''


def load(
  model: tf_keras.Model, path: str, weights: str = 'ema'
) -> load_report.Report:
  """Reads a model's weights from a checkpoint of either format.

  Args:
    model: A `Pix2SeqD` whose weights exist.
    path: A prefix, or a folder, whose newest checkpoint is taken.
    weights: 'ema' for the averaged weights where the file has them, 'online'
      for the others.

  Returns:
    What was loaded and what was not.

  Raises:
    FileNotFoundError: Where there is no checkpoint.
    ValueError: Where it is damaged, or gives the model nothing; or if the
      model has no weights yet.
  """
  prefix = find(path)
  reader = checkpoint_file.Reader(prefix)
  shapes = reader.shapes
  named = named_weights(model)
  if not named:
    raise ValueError(
      'the model has no weights yet, which a checkpoint could set: call '
      'model.build_weights() first'
    )
  is_averaged = any(key.startswith('ema/') for key in shapes)
  if weights == 'online' and reader.holds_weights_alone and is_averaged:
    raise ValueError(
      f'the checkpoint {prefix} holds averaged weights alone, not those as '
      "trained: set evaluation.weights or training.init_weights to 'ema'"
    )
  published = published_names.from_paths(named)
  report = load_report.Report(prefix)
  used = set()
  for name, variable in named.items():
    averaged, online = _keys(name, published[name])
    candidates = averaged + online if weights == 'ema' else online
    key = next((key for key in candidates if key in shapes), None)
    if key is None:
      report.missing.append(name)
      continue
    used.add(key)
    theirs, ours = list(shapes[key]), variable.shape.as_list()
    kept = _extended(model, theirs, ours) if name == _CONV_IN else None
    if theirs == ours:
      report.loaded.append(name)
    elif kept:
      report.extended.append(name)
    else:
      report.mismatched.append(f'{name} (file {theirs}, model {ours})')
      continue
    if weights == 'ema' and key in online:
      report.online.append(name)
    value = reader.read(key)
    if kept:
      smaller, value = value, np.zeros(ours, value.dtype)
      value[:, :, kept] = smaller
    variable.assign(value)
  report.unused.extend(sorted(_online_keys(shapes) - _online_keys(used)))
  if not report.loaded and not report.extended:
    names = load_report.summary(report.mismatched or report.missing)
    raise ValueError(
      f'the checkpoint {prefix} holds no weight that fits this model '
      f'({names}): check the path and the model section of the configuration'
    )
  return report


def load_all(
  model: tf_keras.Model, paths: Sequence[str], weights: str = 'ema'
) -> load_report.Reports:
  """Reads weights from several checkpoints, later ones over earlier ones.

  Args:
    model: A `Pix2SeqD` whose weights exist.
    paths: Prefixes or folders.
    weights: As for `load`.

  Returns:
    What each gave, and what none of them gave.

  Raises:
    FileNotFoundError: Where there is no checkpoint.
    ValueError: Where one is damaged, or gives the model nothing.
  """
  reports = [load(model, path, weights) for path in paths]
  given = {name for r in reports for name in (*r.loaded, *r.extended)}
  never = [name for name in named_weights(model) if name not in given]
  return load_report.Reports(reports, never)


def _keys(name: str, published: str) -> tuple[list[str], list[str]]:
  """Where a file may have a weight's average, and the weight as trained."""
  part, rest = published.split('/', 1)
  averaged = [f'ema/{name}', f'model/{part}_ema/{rest}']
  return averaged, [f'model/{name}', f'model/{published}']


def _online_keys(keys: Iterable[str]) -> set[str]:
  """The keys of weights, with the key as trained for that of an average.

  So a weight counts as used whichever of its two copies was read.
  """
  return {
    re.sub(r'^model/(\w+)_ema/', r'model/\1/', re.sub('^ema/', 'model/', key))
    for key in keys
    if key.startswith(('model/', 'ema/')) and '/.OPTIMIZER_SLOT/' not in key
  }


def _extended(
  model: tf_keras.Model, theirs: list[int], ours: list[int]
) -> list[int] | None:
  """The input channels of our first kernel that a file's smaller one has.

  None if it is not smaller, or if the two differ in anything else.
  """
  if [*theirs[:2], *theirs[3:]] != [*ours[:2], *ours[3:]]:
    return None
  return model.decoder.conv_in.channels_of(theirs[2])
