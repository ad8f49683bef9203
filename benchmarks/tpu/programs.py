"""The programs that a replica runs, of any experiment.

`train`, a step of training with its update; `accumulate` and `update`, its two
halves with micro-batches; `evaluate`, a batch of images or a frame of every
stream; `draw`, what the pictures show.
"""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from configs import base
from tasks import factory
from training import evaluator as evaluator_lib
from training import state as state_lib
from training import trainer as trainer_lib

PROGRAMS = ('train', 'accumulate', 'update', 'evaluate', 'draw')
_SPLITS = 2  # Micro-batches, where a batch is split.


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


def file_name(
  experiment: str, program: str, config: base.Experiment, batch: int = 1
) -> str:
  """Name of a program's file, without its ending.

  Args:
    experiment: Its registered name.
    program: One of `PROGRAMS`.
    config: The experiment as it is exported.
    batch: Rows of a replica.
  """
  parts = [experiment, program, config.training.precision]
  if config.training.recompute:
    parts.append('recompute')
  return '-'.join([*parts, str(batch)])
