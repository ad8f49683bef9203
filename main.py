"""Trains, evaluates and uses Pix2Seq-D.

  python main.py --experiment=shapes --model_dir=runs/shapes \
      --mode=train_and_eval --params_override=training.steps=2000
"""

import os
import re
import sys

import tensorflow as tf
from absl import app, flags

from configs import (  # noqa: F401  Experiments register themselves.
  cityscapes,
  coco,
  moving_shapes,
  shapes,
  validation,
  video,
)
from training import evaluation, experiment, run
from training import strategy as strategy_lib

_MODES = (
  *('train', 'eval', 'train_and_eval', 'continuous_eval', 'predict'),
  'inspect',
)

_EXPERIMENT = flags.DEFINE_string(
  'experiment', 'shapes', 'Name of the registered experiment.'
)
_MODEL_DIR = flags.DEFINE_string('model_dir', '', 'Folder of the run.')
_MODE = flags.DEFINE_enum('mode', 'train_and_eval', _MODES, 'What to do.')
_CONFIG_FILE = flags.DEFINE_string(
  'config_file', '', 'YAML file with fields of the experiment to change.'
)
_PARAMS_OVERRIDE = flags.DEFINE_string(
  'params_override', '', 'Fields to change after that: "a.b=1,c.d=[1,2]".'
)
_STRATEGY = flags.DEFINE_enum(
  'strategy', 'one_device', strategy_lib.NAMES, 'Where to compute.'
)
_TPU = flags.DEFINE_string(
  'tpu', '', 'Name or address of the TPU; "local" on a TPU VM.'
)
_NUM_VIRTUAL_DEVICES = flags.DEFINE_integer(
  'num_virtual_devices', 0, 'For --strategy=mirrored: split the CPU.'
)
_CHECKPOINT = flags.DEFINE_string(
  'checkpoint', '', 'For eval and predict: path or folder; default: newest.'
)
_TIMEOUT = flags.DEFINE_float(
  'timeout', None, 'For continuous_eval: seconds without a new checkpoint.'
)
_INPUT = flags.DEFINE_string(
  'input', '', 'For predict: image or folder; for videos a folder of frames.'
)
_OUTPUT = flags.DEFINE_string(
  'output', '', 'For predict and inspect: folder to write.'
)
_NUM_EXAMPLES = flags.DEFINE_integer(
  'num_examples', 16, 'For inspect: how many to look at.'
)
_DEBUG = flags.DEFINE_bool('debug', False, 'Show the traceback of any error.')


def _run() -> None:
  config = experiment.load(
    _EXPERIMENT.value, _CONFIG_FILE.value, _PARAMS_OVERRIDE.value
  )
  validation.validate(config)
  if os.path.exists(_OUTPUT.value) and not os.path.isdir(_OUTPUT.value):
    raise ValueError(
      f'--output={_OUTPUT.value} is a file: name a folder to be written.'
    )
  if _MODE.value == 'predict':
    _predict(config)
    return
  if _MODE.value == 'inspect':
    from tasks import inspection

    inspection.run(config, _OUTPUT.value, _NUM_EXAMPLES.value)
    return
  if not _MODEL_DIR.value:
    raise ValueError(f'--mode={_MODE.value} needs --model_dir.')
  strategy = strategy_lib.create(
    _STRATEGY.value, _TPU.value, _NUM_VIRTUAL_DEVICES.value
  )
  print(strategy_lib.describe(strategy), flush=True)
  validation.validate(
    config, strategy.num_replicas_in_sync, evaluates=_MODE.value != 'train'
  )
  from tasks import factory

  is_chief = strategy_lib.is_chief(strategy)
  results_dir = os.path.join(_MODEL_DIR.value, 'results') if is_chief else ''
  if config.evaluation.write_results and '://' in results_dir:
    raise ValueError(
      f'evaluation.write_results writes to a local disk, not to {results_dir}; '
      'copy the checkpoint, and evaluate it there by --checkpoint.'
    )
  task = factory.create(config, results_dir)
  # What is wrong with the data is said before a model is built.
  if _MODE.value in ('train', 'train_and_eval'):
    task.dataset(config.data.train_split)
  if _MODE.value != 'train':
    task.dataset(config.data.eval_split)
  if _MODE.value == 'eval':
    evaluation.evaluate(task, strategy, _MODEL_DIR.value, _CHECKPOINT.value)
  elif _MODE.value == 'continuous_eval':
    evaluation.continuous_eval(task, strategy, _MODEL_DIR.value, _TIMEOUT.value)
  else:
    with_evaluation = _MODE.value == 'train_and_eval'
    run.train(task, strategy, _MODEL_DIR.value, with_evaluation)


def _predict(config) -> None:
  from tasks import predict, predict_video
  from training import checkpointing, state

  if _STRATEGY.value != 'one_device':
    raise ValueError('--mode=predict runs with --strategy=one_device.')
  path = checkpointing.find(_CHECKPOINT.value, _MODEL_DIR.value)
  if path is None and not config.training.init_checkpoint:
    raise FileNotFoundError(
      'There is no checkpoint to predict with; give --checkpoint, the '
      '--model_dir of a run, or training.init_checkpoint.'
    )
  if path:
    experiment.check_same_model(config, os.path.dirname(path))
  state.prepare(config.training, strategy_lib.create('one_device'))
  run_task = predict_video.run if config.task == 'video' else predict.run
  run_task(config, _INPUT.value, _OUTPUT.value, path)


def main(argv) -> None:
  """Runs the flags' mode; an error of the user's is one line, not a trace."""
  if len(argv) > 1:
    raise app.UsageError(f'Not a flag: {argv[1]!r}.')
  try:
    _run()
  except (
    *(ValueError, KeyError, FloatingPointError),
    *(FileNotFoundError, PermissionError, NotADirectoryError),
  ) as error:
    # str() of a KeyError is its repr.
    message = error.args[0] if isinstance(error, KeyError) else str(error)
    # Our own messages are one line; others need their traceback.
    if _DEBUG.value or not message or '\n' in message.strip():
      raise
    sys.exit(f'FATAL: {message}')
  except tf.errors.InvalidArgumentError as error:
    # What an input pipeline asserts stands in brackets: "[path: reason]".
    found = re.search(r'assertion failed: \[(.*?)\]', error.message)
    # The decoders do not say which file it was.
    damaged = re.search(
      r'jpeg::Uncompress failed|Invalid (PNG|JPEG) data', error.message
    )
    if _DEBUG.value or not (found or damaged):
      raise
    if found:
      sys.exit(f'FATAL: {found[1]}')
    sys.exit(
      f'FATAL: A file of the data is damaged ({damaged[0]}): "python -m '
      'data.check --all --dir=..." on their folder names it; fetch it again.'
    )
  except (tf.errors.NotFoundError, tf.errors.PermissionDeniedError) as error:
    # A file that went away, or that may not be read: "path; reason".
    found = re.search(
      r'(\S+); (No such file or directory|Permission denied)', error.message
    )
    if _DEBUG.value or not found:
      raise
    mend = 'put it back'
    if isinstance(error, tf.errors.PermissionDeniedError):
      mend = 'change its permissions, or use another folder'
    sys.exit(f'FATAL: {found[1]} cannot be used: {found[2]}; {mend}.')


if __name__ == '__main__':
  app.run(main)
