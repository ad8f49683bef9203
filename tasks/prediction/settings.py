"""The settings of a call of a predictor, checked."""

import copy
from collections.abc import Sequence
from typing import Annotated, NamedTuple, Tuple

import numpy as np

from configs import base, choices, type_checks
from models import diffusion
from panoptic import decode
from tasks import scorer, videos, visualization

_Samples = Annotated[int, type_checks.between(1, 10_000)]


class Settings(NamedTuple):
  """What may differ from call to call.

  Attributes:
    sampler: Name, steps, td and schedule.
    seed: Of the noise.
    rule: How label maps become segments.
  """

  sampler: base.Sampler
  seed: int
  rule: decode.Rule


def choose(
  config: base.Experiment,
  steps: int | None = None,
  td: float | None = None,
  seed: int | None = None,
  sampler: str | None = None,
  min_segment_pixels: int | None = None,
) -> Settings:
  """The settings of a call, and the experiment's where it states none.

  Raises:
    ValueError: If one is of a wrong type, unknown, or out of its bounds.
  """
  chosen = copy.deepcopy(config.evaluation.sampler)
  hints = type_checks.hints(chosen)
  for name, value in (('steps', steps), ('td', td)):
    if value is not None:
      setattr(chosen, name, type_checks.checked(value, hints[name], name))
  if sampler is not None:
    chosen.name = type_checks.checked(sampler, str, 'sampler')
    choices.choose(diffusion.SAMPLERS, chosen.name, 'sampler')
  rule = scorer.rule(config)
  if min_segment_pixels is not None:
    pixels = type_checks.checked(
      min_segment_pixels, base.CountOrZero, 'min_segment_pixels'
    )
    rule = rule._replace(min_segment_pixels=pixels)
  if seed is None:
    seed = config.evaluation.seed
  return Settings(chosen, type_checks.checked(seed, base.Seed, 'seed'), rule)


def check_samples(samples: int | None, default: int) -> int:
  """Returns a number of answers; ValueError if it is not 1 or more."""
  if samples is None:
    return default
  return type_checks.checked(samples, _Samples, 'samples')


def indices(index: int | Sequence[int], count: int) -> list[int]:
  """One index for each image.

  Args:
    index: The index of all, or as many as images.
    count: The number of images.

  Raises:
    ValueError: If there are not as many, or one is not 0 or more.
  """
  if not isinstance(index, (Sequence, np.ndarray)):
    return [type_checks.checked(index, base.CountOrZero, 'index')] * count
  if len(index) != count:
    raise ValueError(
      f'index has {len(index)} numbers for {count} images: give as many, or one'
    )
  return [
    type_checks.checked(number, base.CountOrZero, 'index') for number in index
  ]


def steps_of_first(config: base.Experiment, sampler: base.Sampler) -> int:
  """The steps of an image, or of the first frame of a clip."""
  if config.task != 'video':
    return sampler.steps
  return videos.first_frame_steps(config, sampler)


def shown_steps(shown: Sequence[int] | None, total: int) -> list[int]:
  """The numbers of steps to show, in order.

  Args:
    shown: The numbers, from 1 on; None: those of the figures.
    total: Of all steps.

  Raises:
    ValueError: If there is none, or one is no number of a step.
  """
  if shown is None:
    return visualization.shown_steps(total)
  number = Annotated[int, type_checks.between(1, total)]
  numbers = type_checks.checked(shown, Tuple[number, ...], 'shown')
  if not numbers:
    raise ValueError(f'shown is empty: give numbers of steps, 1 to {total}')
  return sorted(set(numbers))
