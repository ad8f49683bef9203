"""Checks an experiment before anything is built.

The configuration states the bounds of single fields. Names and sizes that a
part of the program defines are checked against that part.
"""

import functools
from collections.abc import Callable, Collection
from typing import Any

from configs import base, type_checks
from data import sources
from metrics import registry as metrics
from models import checkpoints, diffusion, losses, mask_decoder
from models import validation as model_validation
from models.blocks import resnet
from panoptic import decode
from tasks import factory
from training import optimizer, state

_CHOICES: dict[str, Collection] = {
  'task': factory.TASKS,
  'data.source': sources.SOURCES,
  'model.encoder.resnet.depth': resnet.DEPTHS,
  'model.encoder.resnet.variant': resnet.VARIANTS,
  'model.parameterization': losses.PARAMETERIZATIONS,
  'loss.schedule.name': diffusion.SCHEDULES,
  'optimizer.schedule': optimizer.SCHEDULES,
  'training.precision': state.POLICIES,
  'training.init_weights': checkpoints.WEIGHTS,
  'evaluation.sampler.name': diffusion.SAMPLERS,
  'evaluation.sampler.schedule.name': diffusion.SCHEDULES,
  'evaluation.segments_by': decode.SEGMENTS_BY,
  'evaluation.weights': checkpoints.WEIGHTS,
  'evaluation.video.metric': metrics.names(video=True),
}


def validate(config: base.Experiment, num_replicas: int = 1) -> None:
  """Checks what can be checked without a model or data.

  Args:
    config: The experiment. Its lists become tuples where fields are tuples.
    num_replicas: Devices that share a batch, over all workers.

  Raises:
    ValueError: One sentence: the field, its value, and what it must be.
  """
  type_checks.check_types(config)
  require = functools.partial(_require, config)
  for field, owners in _CHOICES.items():
    choices = tuple(owners)
    require(field, choices.__contains__, f'one of {choices}')
  require(
    'optimizer.warmup_steps',
    lambda x: x <= config.training.steps,
    f'at most training.steps = {config.training.steps}: set, for example, '
    f'optimizer.warmup_steps={config.training.steps // 10} too',
  )
  _check_schedule(config.loss.schedule, 'loss.schedule', require)
  sampler = config.evaluation.sampler
  _check_schedule(sampler.schedule, 'evaluation.sampler.schedule', require)
  require(
    'model.conditioning',
    lambda x: x and set(x) <= set(mask_decoder.CONDITIONING),
    ', '.join(map(repr, mask_decoder.CONDITIONING)) + ' or both',
  )
  if config.evaluation.samples == 1:
    require(
      'evaluation.min_segment_score',
      lambda x: x == 0,
      '0 with a single answer, which is compared with no other: set, for '
      'example, evaluation.samples=8 too',
    )
  if config.task == 'video':
    _check_video(config, require)
  elif config.model.past_masks:
    raise ValueError(
      f'model.past_masks is {config.model.past_masks}, but the task is '
      f"{config.task!r}, of images without a past; set task='video' or "
      'model.past_masks=0.'
    )
  largest = max(config.model.num_classes, config.model.max_instances) - 1
  require(
    'model.bits',
    lambda x: largest < 2**x <= 2**16,
    f'enough to write {largest}, and at most 16',
  )
  parts = num_replicas * config.optimizer.accumulation_steps
  require(
    'training.batch_size',
    lambda x: x % parts == 0,
    f'a multiple of {parts} = {num_replicas} replicas x '
    f'{config.optimizer.accumulation_steps} accumulation steps',
  )
  model_validation.check(config.model)


def _check_schedule(
  schedule: base.Schedule, name: str, require: Callable
) -> None:
  """Checks the numbers of the families that have start, end and tau."""
  if schedule.name == 'cosine':
    limit, meaning = 1.0, 'between -1 and 1 for a cosine'
  elif schedule.name == 'sigmoid':
    limit = 40 * schedule.tau  # Farther out it is 0 or 1 as a float.
    meaning = f'between {-limit:g} and {limit:g}, 40 times tau, for a sigmoid'
  else:
    return
  for field in ('start', 'end'):
    require(f'{name}.{field}', lambda x: abs(x) <= limit, meaning)
  ends = {schedule.start, schedule.end}
  if schedule.name == 'cosine':
    ends = {abs(x) for x in ends}  # A cosine is the same on both sides of 0.
  require(
    f'{name}.end',
    lambda _: len(ends) == 2,
    f'another number than {name}.start = {schedule.start}',
  )


def _check_video(config: base.Experiment, require: Callable) -> None:
  offsets = config.data.past_frames
  require(
    'model.past_masks',
    lambda x: x in (0, len(offsets)),
    f'{len(offsets)}, one for each of data.past_frames = {list(offsets)}, or 0 '
    'for a model that sees each frame alone',
  )
  require(
    'evaluation.samples',
    lambda x: x == 1,
    '1 for videos, whose frames go on from one answer',
  )
  if config.evaluation.video.metric == 'j_and_f':
    require(
      'model.max_instances',
      lambda x: x <= 21,
      'at most 21, since J&F of DAVIS takes 20 proposals beside the background',
    )
    require(
      'evaluation.segments_by',
      lambda x: x == 'id',
      "'id', since J&F of DAVIS knows no classes",
    )


def _require(
  config: base.Experiment,
  field: str,
  condition: Callable[[Any], bool],
  meaning: str,
) -> None:
  value: Any = config
  for name in field.split('.'):
    value = getattr(value, name)
  if not condition(value):
    raise ValueError(f'{field} is {value!r}; it must be {meaning}.')
