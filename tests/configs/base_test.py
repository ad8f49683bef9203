"""Tests of the fields' bounds."""

import datetime
import math
import typing
from typing import Annotated

import pytest

from configs import base, loading, type_checks


def _fields(section, prefix=''):
  """Yields the section, name and type of every field, by its whole name."""
  for name, hint in type_checks.hints(section).items():
    if type_checks.is_section(hint):
      yield from _fields(getattr(section, name), f'{prefix}{name}.')
    else:
      yield f'{prefix}{name}', section, name, hint


def _numbers(hint, bounds=()):
  """Yields the type and the bounds of every number that a field holds."""
  if typing.get_origin(hint) is Annotated:
    inner, *more = typing.get_args(hint)
    yield from _numbers(inner, (*bounds, *more))
  elif hint in (int, float):
    yield hint, bounds
  else:
    for inner in typing.get_args(hint):
      if inner not in (type(None), Ellipsis):
        yield from _numbers(inner)


_NUMBERS = [
  name
  for name, _, _, hint in _fields(base.Experiment())
  if list(_numbers(hint))
]


def test_every_number_has_a_least_and_a_most():
  assert len(_NUMBERS) > 80
  for name, _, _, hint in _fields(base.Experiment()):
    for kind, bounds in _numbers(hint):
      for value in (-1e31, 1e31) if kind is float else (-(2**31) - 1, 2**31):
        assert any(not bound.holds(value) for bound in bounds), (name, value)


def test_values_out_of_bounds_are_one_sentence_with_the_name():
  for name, section, field, hint in _fields(base.Experiment()):
    kept = getattr(section, field)
    assert type_checks.checked(kept, hint, name) == kept
    bad = [datetime.date(2024, 1, 2), {'a': 1}, [[1]], object(), b'1', ['a', 1]]
    if name in _NUMBERS:
      bad += ['many', '', True, math.nan, math.inf, -math.inf, 1e300]
      bad += [-(2**63), 2**63, 10**400]
      if isinstance(kept, tuple):
        bad = [[value] * len(kept) for value in bad]
    for value in bad:
      with pytest.raises(ValueError) as error:
        type_checks.checked(value, hint, name)
      assert str(error.value).startswith(f'{name} is '), value
      assert '\n' not in str(error.value) and len(str(error.value)) < 400
    for value in (0, -1, 1e-320):  # Allowed, or refused by name.
      try:
        of_kind = [value] * len(kept) if isinstance(kept, tuple) else value
        type_checks.checked(of_kind, hint, name)
      except ValueError as error:
        assert str(error).startswith(f'{name} is ')


@pytest.mark.parametrize(
  ('field', 'value'),
  [
    ('model.encoder.resnet.width_multiplier', 0),
    ('model.encoder.resnet.width_multiplier', 1e-320),
    ('model.encoder.resnet.width_multiplier', -1),
    ('model.encoder.dim', 0),
    ('model.encoder.mlp_dim', 0),
    ('model.encoder.feature_dim', -1),
    ('model.decoder.conv_in_kernel', 0),
    ('model.decoder.channel_multipliers', '[]'),
    ('model.decoder.channel_multipliers', '[0]'),
    ('model.bits', 2**63),
    ('model.image_size', f'[{2**31},{2**31}]'),
    ('optimizer.learning_rate', '1e-320'),
    ('training.seed', -1),
    ('evaluation.sampler.steps', 10**9),
    ('loss.schedule.tau', 0),
    ('data.shapes.size', 0),
    ('data.moving_shapes.frames', 0),
    ('data.moving_shapes.max_radius', 0),
    ('data.augmentation.color_jitter', -1),
    ('data.augmentation.scale_jitter', '[1e-320,1]'),
    ('data.past_frames', '[-100000000,-1]'),
  ],
)
def test_what_would_crash_or_take_for_ever_is_refused(field, value):
  with pytest.raises(ValueError, match=f'^{field} is '):
    loading.load('shapes', params_override=f'{field}={value}')


def test_a_misspelt_field_is_refused():
  config = base.Experiment()
  with pytest.raises(AttributeError, match="no field 'stepz': did you .*'step"):
    config.training.stepz = 5
  with pytest.raises(AttributeError, match='Experiment has no field'):
    config.qqq = 1
