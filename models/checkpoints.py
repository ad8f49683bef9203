"""Weights from checkpoints, by name.

The rule of what a run starts from, in this order:
  1. the newest checkpoint in its own model_dir, which restores everything
     (see `training`);
  2. else `training.init_checkpoint`: each file in turn gives the weights that
     it has, read by this module;
  3. else random weights.

Two formats are read: our own (`model/...`, and the averaged weights under
`ema/...`), and the published TensorFlow format of Pix2Seq, whose detection
checkpoints hold an encoder and whose panoptic ones hold everything (averaged
weights under `encoder_ema`, `encoder_fuse_ema` and `denoiser_ema`).
"""

import collections
import dataclasses
import os
import re
from typing import Dict, Iterable, Iterator, List, Sequence, Set, Tuple

import numpy as np
import tensorflow as tf
import tf_keras

# Weights of a checkpoint: averaged or as trained.
WEIGHTS = ('ema', 'online')

_VALUE = '/.ATTRIBUTES/VARIABLE_VALUE'
_MOST = 6  # Names in a message; more are summed up.

# Our paths to the published ones; every rule that matches is applied, in turn.
_PUBLISHED = [
  # The image encoder.
  (r'^encoder/projection/', r'encoder/stem_projection/'),
  (r'^encoder/projection_ln/', r'encoder/stem_ln/'),
  (r'^encoder/transformer/', r'encoder/transformer_encoder/enc_layers/'),
  (r'(enc_layers/\d+)/ln/', r'\1/mha_ln/'),
  (r'(enc_layers/\d+)/attention/', r'\1/mha/'),
  (r'resnet/stem/kernel', r'resnet/initial_conv_relu_max_pool/0/conv2d/kernel'),
  (r'resnet/stem/', r'resnet/initial_conv_relu_max_pool/2/bn/'),
  (r'resnet/stages/(\d+)/(\d+)/', r'resnet/block_groups/\1/layers/\2/'),
  # The pyramid merge.
  (r'^encoder_merge/last/', r'encoder_fuse/upsample_blocks/0/'),
  # The decoder.
  (r'^decoder/', r'denoiser/'),
  (r'^denoiser/time_embedding/', r'denoiser/time_emb/'),
  (r'^denoiser/gn_(in|out)/', r'denoiser/group_norm_\1/'),
  (r'^denoiser/down_blocks/(\d+)/', r'denoiser/dn_units/\1/resnet_blocks/'),
  (r'^denoiser/down_convs/(\d+)/', r'denoiser/dn_units/\1/conv_dn/'),
  (r'^denoiser/up_blocks/(\d+)/', r'denoiser/up_units/\1/resnet_blocks/'),
  (r'(resnet_blocks/\d+)/gn_(\d)/', r'\1/group_norm_\2/'),
  (r'(resnet_blocks/\d+)/modulation/', r'\1/emb_proj/'),
  (r'(resnet_blocks/\d+)/skip/', r'\1/shortcut_layer/'),
  (
    r'^denoiser/middle/gn_(in|out)/',
    r'denoiser/transformer/trans_conv_\1_norm/',
  ),
  (r'^denoiser/middle/conv_(in|out)/', r'denoiser/transformer/trans_conv_\1/'),
  (r'^denoiser/middle/token/', r'denoiser/transformer/emb_proj/'),
  (
    r'^denoiser/middle/transformer/',
    r'denoiser/transformer/transformer_decoder/dec_layers/',
  ),
  (r'(self|cross)_attention/', r'\1_mha/'),
  # What transformers share.
  (
    r'_?mha/(query|key|value)/',
    lambda m: f'{m[0][: -len(m[1]) - 1]}_{m[1]}_dense/',
  ),
  (r'mha/output_dense/', r'mha/_output_dense/'),
  (r'/mlp/ln/', r'/mlp/layernorms/0/'),
  (r'/mlp/(dense\d)/', r'/mlp/mlp_layers/0/\1/'),
]


def named_weights(model: tf_keras.Model) -> Dict[str, tf.Variable]:
  """All weights by their object path, such as `decoder/conv_in/kernel`."""
  return dict(_walk(model, ''))


def _walk(value, path: str) -> Iterator[Tuple[str, tf.Variable]]:
  if isinstance(value, tf.Variable):
    yield path, value
  elif isinstance(value, tf_keras.layers.Layer):
    for name, child in vars(value).items():
      if not name.startswith('_'):
        yield from _walk(child, f'{path}/{name}' if path else name)
  elif isinstance(value, list):
    for i, child in enumerate(value):
      yield from _walk(child, f'{path}/{i}')


def published_path(path: str, bottleneck: bool) -> str:
  """The published name of a weight.

  Args:
    path: our object path.
    bottleneck: whether the ResNet has bottleneck blocks.

  Returns:
    The object path below `model/` in Pix2Seq's checkpoints.
  """
  for pattern, replacement in _PUBLISHED:
    path = re.sub(pattern, replacement, path)
  # Lists that count other layers too.
  path = re.sub(
    r'^encoder_merge/blocks/(\d+)/',
    lambda m: f'encoder_fuse/upsample_blocks/{int(m[1]) + 1}/',
    path,
  )
  path = re.sub(
    r'^denoiser/up_convs/(\d+)/',
    lambda m: f'denoiser/up_units/{int(m[1]) + 1}/conv_up/',
    path,
  )
  convs, stride, shortcut = (
    ('conv_relu_dropblock_layers', 3, 'projection_layers')
    if bottleneck
    else ('conv2d_bn_layers', 2, 'shortcut_layers')
  )
  match = re.search(r'/(convs/(\d+)|shortcut)/(\w+)$', path)
  if match is None:
    return path
  parts, first = (
    (shortcut, 0) if match[2] is None else (convs, stride * int(match[2]))
  )
  layer = f'{first}/conv2d' if match[3] == 'kernel' else f'{first + 1}/bn'
  return f'{path[: match.start()]}/{parts}/{layer}/{match[3]}'


@dataclasses.dataclass
class Report:
  """What loading a checkpoint did, by object path.

  Attributes:
    source: the checkpoint's prefix.
    loaded: weights read as they are.
    extended: weights read with zeros for input channels the file lacks.
    mismatched: weights whose shapes differ, with both shapes.
    missing: weights that the file does not have.
    unused: weights in the file that the model does not have.
    online: weights read as trained where averages were asked for, which the
      file does not have of them.
  """

  source: str
  loaded: List[str]
  extended: List[str]
  mismatched: List[str]
  missing: List[str]
  unused: List[str]
  online: List[str] = dataclasses.field(default_factory=list)

  def __str__(self) -> str:
    """A few lines; of many names only how many begin alike."""
    lines = [f'{self.source}: {len(self.loaded)} weights loaded']
    for title, names in self._groups():
      # Their shapes tell what is wrong.
      most = len(names) if names is self.mismatched else _MOST
      if names:
        lines.append(f'  {len(names)} {title}: {_summary(names, most)}')
    return '\n'.join(lines)

  def listing(self) -> str:
    """Every name, a line each."""
    groups = [('loaded', self.loaded), *self._groups()]
    return '\n'.join([self.source, *_listed(groups)])

  def _groups(self) -> List[Tuple[str, List[str]]]:
    return [
      ('without an average in the file, read as trained', self.online),
      ('extended by zeros', self.extended),
      ('of another shape, not loaded', self.mismatched),
      ('not in the file, left as they were', self.missing),
      ('in the file, not used', self.unused),
    ]


@dataclasses.dataclass
class Reports:
  """What loading several checkpoints did.

  Attributes:
    reports: of each, in their order.
    never: weights that none of them gave.
  """

  reports: List[Report]
  never: List[str]

  def __str__(self) -> str:
    """A few lines; of many names only how many begin alike."""
    lines = [str(report) for report in self.reports]
    if self.never:
      lines.append(f'never trained, random: {_summary(self.never)}')
    return '\n'.join(lines)

  def listing(self) -> str:
    """Every name, a line each."""
    texts = [report.listing() for report in self.reports]
    texts += _listed([('never trained, random', self.never)])
    return '\n'.join(texts) + '\n'


def _listed(groups: Iterable[Tuple[str, List[str]]]) -> Iterator[str]:
  for title, names in groups:
    if names:
      yield f'{len(names)} {title}:'
      yield from (f'  {name}' for name in names)


def _summary(names: List[str], most: int = _MOST) -> str:
  """Names, or the counts of their first parts where they are many."""
  if len(names) <= most:
    return ', '.join(names)
  counts = collections.Counter('/'.join(n.split('/')[:2]) for n in names)
  return ', '.join(f'{part} ({n})' for part, n in sorted(counts.items()))


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
  if tf.io.gfile.isdir(path):
    found = newest(path)
    if found is None:
      raise FileNotFoundError(
        f'There is no checkpoint in the folder {path}: give a folder with a '
        "'checkpoint' file, or a path like "
        f'{os.path.join(path, "ckpt-1000")}.'
      )
    return found
  prefix = path.removesuffix('.index')
  if not tf.io.gfile.exists(f'{prefix}.index'):
    raise FileNotFoundError(
      f'There is no checkpoint at {path}: expected the file {prefix}.index; '
      'give a folder or a path like "<model_dir>/ckpt-1000".'
    )
  return prefix


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


def load(model: tf_keras.Model, path: str, weights: str = 'ema') -> Report:
  """Reads a model's weights from a checkpoint of either format.

  Args:
    model: a `Pix2SeqD` whose weights exist.
    path: a prefix, or a folder, whose newest checkpoint is taken.
    weights: 'ema' for the averaged weights where the file has them, 'online'
      for the others.

  Returns:
    What was loaded and what was not.

  Raises:
    FileNotFoundError: where there is no checkpoint.
    ValueError: where it is damaged, or gives the model nothing.
  """
  prefix = find(path)
  try:
    reader = tf.train.load_checkpoint(prefix)
    shapes = reader.get_variable_to_shape_map()
  except (tf.errors.OpError, ValueError) as error:
    raise ValueError(
      f'the checkpoint {prefix} cannot be read: copy it again, all of its '
      'files from one place'
    ) from error
  shapes = {
    key.removesuffix(_VALUE): shape
    for key, shape in shapes.items()
    if key.endswith(_VALUE)
  }
  report = Report(prefix, [], [], [], [], [])
  used = set()
  bottleneck = model.config.encoder.resnet.depth >= 50
  assignments = []
  for name, variable in named_weights(model).items():
    key = next(
      (k for k in _candidates(name, bottleneck, weights) if k in shapes), None
    )
    if key is None:
      report.missing.append(name)
      continue
    used.add(key)
    theirs, ours = list(shapes[key]), variable.shape.as_list()
    if theirs == ours:
      report.loaded.append(name)
    elif name == 'decoder/conv_in/kernel' and _extends(theirs, ours):
      report.extended.append(name)
    else:
      report.mismatched.append(f'{name} (file {theirs}, model {ours})')
      continue
    if weights == 'ema' and key in _candidates(name, bottleneck, 'online'):
      report.online.append(name)
    assignments.append((variable, key))
  read, stored = map(_online_names, (used, shapes))
  report.unused.extend(sorted(stored - read))
  if not assignments:
    raise ValueError(
      f'the checkpoint {prefix} holds no weight that fits this model '
      f'({_summary(report.mismatched or report.missing)}): check the path and '
      'the model section of the configuration'
    )
  for variable, key in assignments:
    try:
      value = reader.get_tensor(key + _VALUE)
    except (tf.errors.OpError, IndexError) as error:  # IndexError: cut short.
      raise ValueError(
        f'the checkpoint {prefix} is damaged at {key}: copy it again'
      ) from error
    variable.assign(_zero_extended(value, variable.shape))
  return report


def load_all(
  model: tf_keras.Model, paths: Sequence[str], weights: str = 'ema'
) -> Reports:
  """Reads weights from several checkpoints, later ones over earlier ones.

  Args:
    model: a `Pix2SeqD` whose weights exist.
    paths: prefixes or folders.
    weights: as for `load`.

  Returns:
    What each gave, and what none of them gave.

  Raises:
    FileNotFoundError: where there is no checkpoint.
    ValueError: where one is damaged, or gives the model nothing.
  """
  reports = [load(model, path, weights) for path in paths]
  never = [
    name
    for name in named_weights(model)
    if not any(name in r.loaded or name in r.extended for r in reports)
  ]
  return Reports(reports, never)


def _candidates(name: str, bottleneck: bool, weights: str) -> List[str]:
  """Where a weight may stand in a file, best first."""
  theirs = published_path(name, bottleneck)
  part, rest = theirs.split('/', 1)
  online = [f'model/{name}', f'model/{theirs}']
  averaged = [f'ema/{name}', f'model/{part}_ema/{rest}']
  return averaged + online if weights == 'ema' else online


def _online_names(keys: Iterable[str]) -> Set[str]:
  """The weights among a file's keys, the two copies of one as one.

  Whoever reads the average of a weight has no use for the other copy, so that
  counts as read.
  """
  return {
    re.sub(r'^model/(\w+)_ema/', r'model/\1/', re.sub('^ema/', 'model/', key))
    for key in keys
    if key.startswith(('model/', 'ema/')) and '/.OPTIMIZER_SLOT/' not in key
  }


def _extends(theirs: List[int], ours: List[int]) -> bool:
  """Whether a convolution has gained input channels, and nothing else."""
  return (
    len(theirs) == len(ours)
    and theirs[2] < ours[2]
    and theirs[:2] + theirs[3:] == ours[:2] + ours[3:]
  )


def _zero_extended(value: np.ndarray, shape: tf.TensorShape) -> np.ndarray:
  """The value with zeros after it up to a shape.

  A video model has the channels of past masks behind those of an image model;
  with zeros there it computes exactly what the image model does.
  """
  return np.pad(
    value, [(0, n - m) for n, m in zip(shape, value.shape, strict=True)]
  )
