"""Checks an experiment before anything is built."""

from configs import base
from models import diffusion
from tasks import validation
from training import optimizer

_CHOICES: validation.Choices = {
  'loss.schedule.name': diffusion.SCHEDULES,
  'optimizer.schedule': optimizer.SCHEDULES,
}


def validate(config: base.Experiment, num_replicas: int = 1) -> None:
  """Checks what can be checked without a model or data.

  Args:
    config: The experiment. Its lists become tuples where fields are tuples.
    num_replicas: Devices that share a batch, over all workers.

  Raises:
    ValueError: One sentence: the field, its value, and what it must be.
  """
  validation.validate(config)
  validation.check_choices(config, _CHOICES)
  validation.require(
    config,
    'optimizer.warmup_steps',
    lambda x: x <= config.training.steps,
    f'at most training.steps = {config.training.steps}: set, for example, '
    f'optimizer.warmup_steps={config.training.steps // 10} too',
  )
  validation.check_schedule(config, 'loss.schedule')
  parts = num_replicas * config.optimizer.accumulation_steps
  validation.require(
    config,
    'training.batch_size',
    lambda x: x % parts == 0,
    f'a multiple of {parts} = {num_replicas} replicas x '
    f'{config.optimizer.accumulation_steps} accumulation steps',
  )
