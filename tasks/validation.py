"""Checks of what a model is built from, and how it is evaluated and used.

The configuration states the bounds of single fields. Here names and sizes are
checked against the parts of the program that define them; `training.validation`
checks what concerns training alone.
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
from models.precision import POLICIES
from panoptic import decode
from tasks import factory

# The names that fields may have, by field.
Choices = dict[str, Collection]

_CHOICES: Choices = {
  'task': factory.TASKS,
  'data.source': sources.SOURCES,
  'model.encoder.resnet.depth': resnet.DEPTHS,
  'model.encoder.resnet.variant': resnet.VARIANTS,
  'model.parameterization': losses.PARAMETERIZATIONS,
  'training.precision': POLICIES,
  'training.init_weights': checkpoints.WEIGHTS,
  'evaluation.sampler.name': diffusion.SAMPLERS,
  'evaluation.sampler.schedule.name': diffusion.SCHEDULES,
  'evaluation.segments_by': decode.SEGMENTS_BY,
  'evaluation.weights': checkpoints.WEIGHTS,
  'evaluation.video.metric': metrics.names(video=True),
}


def validate(config: base.Experiment) -> None:
  """Checks what can be checked without a model or data.

  Args:
    config: The experiment. Its lists become tuples where fields are tuples.

  Raises:
    ValueError: One sentence: the field, its value, and what it must be.
  """
  type_checks.check_types(config)
  check_choices(config, _CHOICES)
  check_schedule(config, 'evaluation.sampler.schedule')
  require(
    config,
    'model.conditioning',
    lambda x: x and set(x) <= set(mask_decoder.CONDITIONING),
    ', '.join(map(repr, mask_decoder.CONDITIONING)) + ' or both',
  )
  if config.evaluation.samples == 1:
    require(
      config,
      'evaluation.min_segment_score',
      lambda x: x == 0,
      '0 with a single answer, which is compared with no other: set, for '
      'example, evaluation.samples=8 too',
    )
  if config.task == 'video':
    _check_video(config)
  elif config.model.past_masks:
    raise ValueError(
      f'model.past_masks is {config.model.past_masks}, but the task is '
      f"{config.task!r}, of images without a past; set task='video' or "
      'model.past_masks=0.'
    )
  largest = max(config.model.num_classes, config.model.max_instances) - 1
  require(
    config,
    'model.bits',
    lambda x: largest < 2**x <= 2**16,
    f'enough to write {largest}, and at most 16',
  )
  model_validation.check(config.model)


def require(
  config: base.Experiment,
  field: str,
  condition: Callable[[Any], bool],
  meaning: str,
) -> None:
  """Raises ValueError unless a field's value meets a condition.

  Args:
    config: The experiment.
    field: Its name, 'training.steps'.
    condition: Whether a value is right.
    meaning: What the value must be, for the message.
  """
  value = _value(config, field)
  if not condition(value):
    raise ValueError(f'{field} is {value!r}; it must be {meaning}.')


def check_choices(config: base.Experiment, allowed: Choices) -> None:
  """Raises ValueError if a field has another value than those allowed."""
  for field, owners in allowed.items():
    values = tuple(owners)
    require(config, field, values.__contains__, f'one of {values}')


def check_schedule(config: base.Experiment, name: str) -> None:
  """Checks the numbers of the families that have start, end and tau.

  Args:
    config: The experiment.
    name: The field that is the schedule.

  Raises:
    ValueError: If one is out of its bounds.
  """
  schedule: base.Schedule = _value(config, name)
  if schedule.name == 'cosine':
    limit, meaning = 1.0, 'between -1 and 1 for a cosine'
  elif schedule.name == 'sigmoid':
    limit = 40 * schedule.tau  # Farther out it is 0 or 1 as a float.
    meaning = f'between {-limit:g} and {limit:g}, 40 times tau, for a sigmoid'
  else:
    return
  for field in ('start', 'end'):
    require(config, f'{name}.{field}', lambda x: abs(x) <= limit, meaning)
  ends = {schedule.start, schedule.end}
  if schedule.name == 'cosine':
    ends = {abs(x) for x in ends}  # A cosine is the same on both sides of 0.
  require(
    config,
    f'{name}.end',
    lambda _: len(ends) == 2,
    f'another number than {name}.start = {schedule.start}',
  )


def _check_video(config: base.Experiment) -> None:
  offsets = config.data.past_frames
  require(
    config,
    'model.past_masks',
    lambda x: x in (0, len(offsets)),
    f'{len(offsets)}, one for each of data.past_frames = {list(offsets)}, or 0 '
    'for a model that sees each frame alone',
  )
  require(
    config,
    'evaluation.samples',
    lambda x: x == 1,
    '1 for videos, whose frames go on from one answer',
  )
  if config.evaluation.video.metric == 'j_and_f':
    require(
      config,
      'model.max_instances',
      lambda x: x <= 21,
      'at most 21, since J&F of DAVIS takes 20 proposals beside the background',
    )
    require(
      config,
      'evaluation.segments_by',
      lambda x: x == 'id',
      "'id', since J&F of DAVIS knows no classes",
    )


def _value(config: base.Experiment, field: str) -> Any:
  return functools.reduce(getattr, field.split('.'), config)
