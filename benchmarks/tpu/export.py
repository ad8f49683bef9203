"""Writes the programs of an experiment as HLO for TPUs.

  python -m benchmarks.tpu.export --of=coco_panoptic --folder=/tmp/hlo

TensorFlow's own lowering is asked for the platform TPU; no TPU is needed, but a
TensorFlow that has the kernels (tensorflow-tpu). A program is what a replica
runs: `train`, a step of training with its update; `accumulate` and `update`,
its two halves with micro-batches; `evaluate`, a batch of images or a frame of
every stream; `draw`, what the pictures show.

`<experiment>-<program>-<precision>[-recompute]-<batch>.hlo` is the program, and
the `.json` beside it says which of its arguments it writes.
"""

import copy
import json
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf
from absl import app, flags
from tensorflow.python.eager.polymorphic_function import compiler_ir

from benchmarks.tpu import functional
from configs import base, loading
from tasks import factory
from training import evaluator as evaluator_lib
from training import state as state_lib
from training import trainer as trainer_lib

PROGRAMS = ('train', 'accumulate', 'update', 'evaluate', 'draw')
_SPLITS = 2  # Micro-batches, where a batch is split.

_EXPERIMENTS = flags.DEFINE_multi_string('of', [], 'Experiments.')
_PROGRAMS = flags.DEFINE_multi_enum(
  'program', list(PROGRAMS), PROGRAMS, 'Programs.'
)
_BATCH = flags.DEFINE_integer('batch', 1, 'Rows of a replica.', lower_bound=1)
_OVERRIDE = flags.DEFINE_string('params_override', '', 'Fields to change.')
_FOLDER = flags.DEFINE_string('folder', '', 'Where to write.')


class Program(NamedTuple):
  """What a replica runs, and its arguments."""

  function: Callable
  specs: Any


def without_data(config: base.Experiment, batch: int) -> base.Experiment:
  """The experiment on drawn scenes, which need no files.

  Sizes and everything else that a program depends on stay.
  """
  config = copy.deepcopy(config)
  video = config.task == 'video'
  config.data.name = 'moving_shapes' if video else 'shapes'
  config.data.source, config.data.dir = '', ''
  config.data.train_split, config.data.eval_split = 'train', 'validation'
  if config.model.num_classes == 1:
    for drawn in (config.data.shapes, config.data.moving_shapes):
      drawn.thing_classes, drawn.stuff_classes = 1, 0
  config.training.batch_size = config.evaluation.batch_size = batch
  config.optimizer.accumulation_steps = 1
  return config


def program(config: base.Experiment, name: str, batch: int) -> Program:
  """Builds a program's model and state.

  Args:
    config: The experiment.
    name: One of `PROGRAMS`.
    batch: Rows of a replica.
  """
  config = without_data(config, batch)
  strategy = tf.distribute.OneDeviceStrategy('/cpu:0')
  if name in ('accumulate', 'update'):
    config.optimizer.accumulation_steps = _SPLITS
    config.training.batch_size = batch * _SPLITS
  task = factory.create(config)
  state_lib.prepare(config.training)
  if name in ('train', 'accumulate', 'update'):
    state = state_lib.build(task, strategy)
    trainer = trainer_lib.Trainer(task, state, strategy)
    rows = trainer.train_dataset.element_spec
    if name == 'train':
      return Program(trainer.update_from_batch, [rows])
    if name == 'update':
      return Program(trainer.update_from_totals, [])
    return Program(trainer.accumulate, [rows, tf.TensorSpec([], tf.int32)])
  with strategy.scope():
    model = task.build_model()
  evaluator = evaluator_lib.Evaluator(task, model, strategy)
  rows = dict(task.eval_dataset().element_spec)
  memory = task.initial_state(batch, tf.constant(0, tf.int64))
  specs = [rows, tf.nest.map_structure(tf.TensorSpec.from_tensor, memory)]
  if name == 'evaluate':
    return Program(evaluator.predict_step, specs)
  if config.task == 'panoptic':
    specs = [rows['image'], rows['index']]
  return Program(lambda *tensors: task.show_step(model, *tensors), specs)


def export(found: Program, path: str) -> str:
  """Writes a program; returns a line that describes it."""
  traced, variables, assigned = functional.functionalize(*found)
  hlo = compiler_ir.from_concrete_function(traced)(
    stage='hlo_serialized', platform_name='TPU'
  )
  first = len(tf.nest.flatten(found.specs))
  about = {
    'inputs': first,
    'variables': len(variables),
    'written': [first + i for i in assigned],
  }
  with open(f'{path}.hlo', 'wb') as file:
    file.write(hlo)
  with open(f'{path}.json', 'w') as file:
    json.dump(about, file)
  return (
    f'{os.path.basename(path)}: {len(hlo) / 1e6:.1f} MB, {len(variables)} '
    f'variables, {len(assigned)} of them written'
  )


def _name(experiment: str, name: str, config: base.Experiment) -> str:
  parts = [experiment, name, config.training.precision]
  if config.training.recompute:
    parts.append('recompute')
  return '-'.join([*parts, str(_BATCH.value)])


def main(argv) -> None:
  del argv
  if not _FOLDER.value:
    raise app.UsageError('--folder is where to write: give one')
  os.makedirs(_FOLDER.value, exist_ok=True)
  for experiment in _EXPERIMENTS.value:
    config = loading.load(experiment, '', _OVERRIDE.value)
    for name in _PROGRAMS.value:
      path = os.path.join(_FOLDER.value, _name(experiment, name, config))
      print(export(program(config, name, _BATCH.value), path), flush=True)
      tf.keras.backend.clear_session()


if __name__ == '__main__':
  app.run(main)
