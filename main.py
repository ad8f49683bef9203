"""Trains, evaluates and uses Pix2Seq-D.

  python main.py --experiment=shapes --model_dir=runs/shapes \
      --mode=train_and_eval --params_override=training.steps=2000
"""

import os

from absl import app, flags

from configs import base, loading
from models import checkpoints
from panoptic import command_line, files
from tasks import factory, inspection, predict
from training import evaluation, log, run, state, validation
from training import strategy as strategy_lib

_TRAINING_MODES = ('train', 'train_and_eval')
_MODES = (*_TRAINING_MODES, 'eval', 'continuous_eval', 'predict', 'inspect')

_EXPERIMENT = flags.DEFINE_string(
  'experiment', 'shapes', 'Name of the registered experiment.'
)
_MODEL_DIR = command_line.define_path('model_dir', '', 'Folder of the run.')
_MODE = flags.DEFINE_enum('mode', 'train_and_eval', _MODES, 'What to do.')
_CONFIG_FILE = command_line.define_path(
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
_CHECKPOINT = command_line.define_path(
  'checkpoint', '', 'For eval and predict: path or folder; default: newest.'
)
_TIMEOUT = flags.DEFINE_float(
  'timeout', None, 'For continuous_eval: seconds without a new checkpoint.'
)
_INPUT = command_line.define_path(
  'input', '', 'For predict: image or folder; for videos a folder of frames.'
)
_OUTPUT = command_line.define_path(
  'output', '', 'For predict and inspect: folder to write.'
)
_NUM_EXAMPLES = flags.DEFINE_integer(
  'num_examples', 16, 'For inspect: how many to look at.'
)
_DEBUG = flags.DEFINE_bool('debug', False, 'Show the traceback of any error.')


def _run() -> None:
  config = loading.load(
    _EXPERIMENT.value, _CONFIG_FILE.value, _PARAMS_OVERRIDE.value
  )
  validation.validate(config)
  if files.is_file(_OUTPUT.value):
    raise ValueError(
      f'--output={_OUTPUT.value} is a file: name a folder to be written.'
    )
  if _MODE.value == 'inspect':
    inspection.run(config, _OUTPUT.value, _NUM_EXAMPLES.value)
  elif _MODE.value == 'predict':
    _predict(config)
  else:
    _train_or_evaluate(config)


def _predict(config: base.Experiment) -> None:
  if _STRATEGY.value != 'one_device':
    raise ValueError('--mode=predict runs with --strategy=one_device.')
  path = checkpoints.find_or_newest(_CHECKPOINT.value, _MODEL_DIR.value)
  if path is None and not config.training.init_checkpoint:
    near = checkpoints.did_you_mean(_MODEL_DIR.value)
    raise FileNotFoundError(
      f'There is no checkpoint to predict with{near}; give --checkpoint, the '
      '--model_dir of a run, or training.init_checkpoint.'
    )
  if path:
    loading.check_same_model(config, os.path.dirname(path))
  state.prepare(config.training)
  predict.run(config, _INPUT.value, _OUTPUT.value, path)


def _train_or_evaluate(config: base.Experiment) -> None:
  mode, model_dir = _MODE.value, _MODEL_DIR.value
  if not model_dir:
    raise ValueError(f'--mode={mode} needs --model_dir.')
  strategy = strategy_lib.create(
    _STRATEGY.value, _TPU.value, _NUM_VIRTUAL_DEVICES.value
  )
  log.log(strategy_lib.describe(strategy))
  validation.validate(config, strategy.num_replicas_in_sync)
  if mode != 'train':
    strategy_lib.fill_replicas(config.evaluation, strategy.num_replicas_in_sync)
  is_chief = strategy_lib.is_chief(strategy)
  results_dir = os.path.join(model_dir, 'results') if is_chief else ''
  task = factory.create(config, results_dir)
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


def main(argv) -> None:
  """Runs the mode of the flags."""
  command_line.run(argv, _run, debug=_DEBUG.value)


if __name__ == '__main__':
  app.run(main)
