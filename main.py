"""Trains, evaluates and uses Pix2Seq-D.

  python main.py --experiment=shapes --model_dir=runs/shapes \
      --mode=train_and_eval --params_override=training.steps=2000
"""

import os
import sys
from collections.abc import Sequence
from typing import Any

from panoptic.console import before_tensorflow  # noqa: F401  # isort: skip
import tensorflow as tf
from absl import app, flags

from configs import base, loading, registered, run_settings
from export import saved_model, weights
from models import checkpoints
from panoptic import classes, files
from panoptic.console import command_line, spelling
from tasks import class_file, factory, inspection
from tasks.prediction import predict
from training import evaluation, log, run, validation
from training import strategy as strategy_lib

_TRAINING_MODES = ('train', 'train_and_eval')
_EXPORTING_MODES = ('export', 'export_weights')
# Modes that use a stored run.
_USING_MODES = ('eval', 'continuous_eval', 'predict', *_EXPORTING_MODES)
_MODES = (*_TRAINING_MODES, *_USING_MODES, 'inspect')

_EXPERIMENT = flags.DEFINE_string(
  'experiment',
  '',
  'Name of the registered experiment; default: the one of the run that is '
  'predicted with or evaluated, else shapes.',
)
_MODEL_DIR = command_line.define_path('model_dir', '', 'Folder of the run.')
_MODE = flags.DEFINE_enum('mode', 'train_and_eval', _MODES, 'What to do.')
_CONFIG_FILE = command_line.define_path(
  'config_file', '', 'YAML file with fields of the experiment to change.'
)
_PARAMS_OVERRIDE = flags.DEFINE_string(
  'params_override', '', 'Fields to change after that: "a.b=1,c.d=[1,2]".'
)
# Of fields that almost every command names.
_FIELDS = {
  'data.dir': command_line.define_path(
    'data_dir',
    None,
    'Folder of the data: the field data.dir. It comes after --config_file; '
    'another value in --params_override is refused.',
  ),
  'training.init_checkpoint': command_line.define_paths(
    'init_checkpoint',
    'Weights to start a training from, a file or folder each; later ones '
    'replace earlier ones: the field training.init_checkpoint, as --data_dir '
    'is data.dir.',
  ),
  'evaluation.visualized_ids': command_line.define_names(
    'image_ids',
    'The images that an evaluation or inspect draws, by id or file name; or '
    'videos by name: the field evaluation.visualized_ids, as --data_dir is '
    'data.dir.',
  ),
}
_STRATEGY = flags.DEFINE_enum(
  'strategy', 'one_device', strategy_lib.NAMES, 'Where to compute.'
)
_TPU = flags.DEFINE_string(
  'tpu', '', 'Name or address of the TPU; "local" on a TPU VM.'
)
_NUM_VIRTUAL_DEVICES = flags.DEFINE_integer(
  'num_virtual_devices', 0, 'For --strategy=mirrored: split the CPU.'
)
_CHECKPOINT = command_line.define_path(
  'checkpoint',
  '',
  'For eval, predict and exports: path or folder; default: newest.',
)
_TIMEOUT = flags.DEFINE_float(
  'timeout', None, 'For continuous_eval: seconds without a new checkpoint.'
)
_INPUT = command_line.define_path(
  'input', '', 'For predict: image, folder of images or frames, or video file.'
)
_OUTPUT = command_line.define_path(
  'output', '', 'For predict, inspect and exports: folder to write.'
)
_IMAGE_LIST = command_line.define_path(
  'image_list', '', 'For predict: JSON whose "images" have ids and file names.'
)
_OVERWRITE = flags.DEFINE_bool(
  'overwrite', False, 'For predict: replace the results in --output.'
)
_GIVEN = command_line.define_path(
  'given', '', 'For predict: folder of label PNGs to complete, by image name.'
)
_FIRST_MASK = command_line.define_path(
  'first_mask', '', "For predict: label PNG of a clip's first frame."
)
_TRAJECTORY = flags.DEFINE_bool(
  'trajectory', False, 'For predict: draw how the sampler finds each answer.'
)
_NUM_EXAMPLES = flags.DEFINE_integer(
  'num_examples', None, 'For inspect: how many to look at; default: 16.'
)
_DEBUG = flags.DEFINE_bool('debug', False, 'Show the traceback of any error.')


def _run() -> None:
  config = _load()
  validation.validate(config)
  if files.is_file(_OUTPUT.value):
    raise ValueError(
      f'--output={_OUTPUT.value} is a file: name a folder to be written.'
    )
  if _FIELDS['evaluation.visualized_ids'].value and _MODE.value in (
    'predict',
    *_EXPORTING_MODES,
  ):
    raise ValueError(
      f'--image_ids has no meaning for --mode={_MODE.value}: it is for '
      'evaluations and inspect, and --input names images to predict.'
    )
  if _MODE.value == 'inspect':
    inspection.run(config, _OUTPUT.value, _NUM_EXAMPLES.value)
  elif _MODE.value == 'predict':
    _predict(config)
  elif _MODE.value in _EXPORTING_MODES:
    _export(config)
  else:
    _train_or_evaluate(config)


def _load() -> base.Experiment:
  """The experiment of the flags, or of the run that they name."""
  name = _EXPERIMENT.value
  changes: dict[str, Any] = {
    'config_file': _CONFIG_FILE.value,
    'params_override': _PARAMS_OVERRIDE.value,
    'fields': {
      field: flag.value
      for field, flag in _FIELDS.items()
      if flag.value is not None
    },
  }
  if _MODE.value not in _USING_MODES:
    return loading.load(name or run_settings.DEFAULT, **changes)
  choice = run_settings.choose(
    name,
    _CHECKPOINT.value,
    _MODEL_DIR.value,
    with_evaluation=_MODE.value in ('predict', *_EXPORTING_MODES),
    **changes,
  )
  log.log(choice.line)
  return choice.config


def _predict(config: base.Experiment) -> None:
  predict.run(
    config,
    _INPUT.value,
    _OUTPUT.value,
    _find_weights(config),
    _IMAGE_LIST.value,
    _OVERWRITE.value,
    _GIVEN.value,
    _FIRST_MASK.value,
    _TRAJECTORY.value,
  )


def _export(config: base.Experiment) -> None:
  export = saved_model.run if _MODE.value == 'export' else weights.run
  export(config, _find_weights(config), _OUTPUT.value)


def _find_weights(config: base.Experiment) -> str | None:
  """The checkpoint to use; None for `init_checkpoint`."""
  mode = _MODE.value
  if _STRATEGY.value != 'one_device':
    raise ValueError(f'--mode={mode} runs with --strategy=one_device.')
  path = checkpoints.find_or_newest(_CHECKPOINT.value, _MODEL_DIR.value)
  if path is None and not config.training.init_checkpoint:
    near = checkpoints.did_you_mean(_MODEL_DIR.value)
    purpose = 'predict with' if mode == 'predict' else 'export'
    raise FileNotFoundError(
      f'There is no checkpoint to {purpose}{near}; give --checkpoint, the '
      '--model_dir of a run, or training.init_checkpoint.'
    )
  if path:
    loading.check_same_model(config, os.path.dirname(path))
  return path


def _train_or_evaluate(config: base.Experiment) -> None:
  mode, model_dir = _MODE.value, _MODEL_DIR.value
  if mode == 'eval' and not model_dir:
    model_dir = run_settings.folder_of_run(_CHECKPOINT.value)
  if not model_dir:
    raise ValueError(f'--mode={mode} needs --model_dir.')
  if mode in _TRAINING_MODES and _CHECKPOINT.value:
    raise ValueError(
      f'--checkpoint has no meaning for --mode={mode}: --init_checkpoint names '
      'the weights that a training starts from.'
    )
  strategy = strategy_lib.create(
    _STRATEGY.value, _TPU.value, _NUM_VIRTUAL_DEVICES.value
  )
  log.log(strategy_lib.describe(strategy))
  validation.validate(config, strategy.num_replicas_in_sync)
  if mode != 'train':
    strategy_lib.fill_replicas(config.evaluation, strategy.num_replicas_in_sync)
  is_chief = strategy_lib.is_chief(strategy)
  results_dir = os.path.join(model_dir, 'results') if is_chief else ''
  if mode == 'continuous_eval' and not strategy_lib.is_multi_worker(strategy):
    if not _wait_for_run(config):
      return
  task = factory.create(config, results_dir, _classes_of_run(config))
  # Errors in the data are found before a model is built.
  if mode in _TRAINING_MODES:
    task.dataset(config.data.train_split)
  if mode != 'train':
    task.dataset(config.data.eval_split)
  if mode == 'eval':
    evaluation.evaluate(task, strategy, model_dir, _CHECKPOINT.value)
  elif mode == 'continuous_eval':
    evaluation.continuous_eval(task, strategy, model_dir, _TIMEOUT.value)
  else:
    run.train(task, strategy, model_dir, evaluate=mode == 'train_and_eval')


def _wait_for_run(config: base.Experiment) -> bool:
  """Waits for a run's first checkpoint; whether it came before the timeout.

  Only then are the classes known by which the data are read.
  """
  if not tf.train.latest_checkpoint(_MODEL_DIR.value):
    # Errors in the data are found before the run has begun.
    factory.create(config).dataset(config.data.eval_split)
  found = tf.train.checkpoints_iterator(
    _MODEL_DIR.value, timeout=_TIMEOUT.value
  )
  return next(found, None) is not None


def _classes_of_run(config: base.Experiment) -> classes.ClassTable | None:
  """The classes of the weights that go on or are scored, if a run has them."""
  mode, model_dir = _MODE.value, _MODEL_DIR.value
  if mode in _TRAINING_MODES:
    path = checkpoints.newest(model_dir)
  elif mode == 'continuous_eval':
    path = tf.train.latest_checkpoint(model_dir)
  else:
    path = checkpoints.find_or_newest(_CHECKPOINT.value, model_dir)
    if path is None:
      return class_file.of_first_weights(config.training.init_checkpoint)
  if path is None:
    return None
  # Another model is a plainer reason to stop than its other classes.
  resumes = mode in _TRAINING_MODES
  loading.check_same_model(config, os.path.dirname(path), resumes)
  return class_file.of_checkpoint(path)


def parse(argv: Sequence[str]) -> list[str]:
  """Parses the flags; an unknown one that is a field is told how to be set.

  Raises:
    SystemExit: If a flag is wrong.
  """
  try:
    return flags.FLAGS(argv)
  except flags.UnrecognizedFlagError as error:
    name = error.flagname
    fields = loading.flat(base.Experiment())
    near = spelling.nearest(name, fields)
    if near and ('.' in name or name in {f.rpartition('.')[2] for f in near}):
      sys.exit(
        f'FATAL: Unknown flag --{name}: fields of the experiment are changed '
        f'by --params_override={near[0]}=VALUE.'
      )
  except flags.Error:
    pass
  return app.parse_flags_with_usage(argv)


def main(argv) -> None:
  """Runs the mode of the flags."""
  command_line.run(argv, _run, debug=_DEBUG.value)


if __name__ == '__main__':
  __doc__ = f'{__doc__}\n{registered.listing()}\n'
  app.run(main, flags_parser=parse)
