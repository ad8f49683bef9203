"""Tests of the settings that a call states."""

import numpy as np
import pytest
import tiny

from tasks.prediction import settings


def test_a_call_states_some_and_the_experiment_the_others():
  config = tiny.experiment(evaluation__seed=4, evaluation__min_segment_pixels=9)
  config.evaluation.sampler.td = 1.5
  default = settings.choose(config)
  assert default.sampler == config.evaluation.sampler
  assert default.seed == 4 and default.rule.min_segment_pixels == 9
  stated = settings.choose(config, np.int64(7), 2, np.int32(0), 'ddpm_small', 0)
  sampler = stated.sampler
  assert (sampler.steps, sampler.td, sampler.name) == (7, 2.0, 'ddpm_small')
  assert stated.seed == 0 and stated.rule.min_segment_pixels == 0
  # The experiment stays as it is.
  assert config.evaluation.sampler == default.sampler


@pytest.mark.parametrize(
  ('stated', 'sentence'),
  [
    ({'steps': 0}, 'steps is 0; it must be at least 1'),
    ({'steps': 2.5}, 'steps is 2.5; it must be a whole number'),
    ({'steps': True}, 'steps is True; it must be a whole number'),
    ({'td': -1.0}, 'td is -1.0; it must be at least 0'),
    ({'td': float('nan')}, 'td is nan; it must be'),
    ({'seed': -1}, 'seed is -1; it must be between 0 and'),
    ({'seed': '1'}, "seed is '1'; it must be a whole number"),
    ({'sampler': 'euler'}, "unknown sampler 'euler': choose one of ddim, "),
    ({'sampler': 3}, 'sampler is 3; it must be a text'),
    ({'min_segment_pixels': -1}, 'min_segment_pixels is -1; it must be at'),
  ],
)
def test_wrong_settings_are_refused(stated, sentence):
  with pytest.raises(ValueError, match=sentence) as error:
    settings.choose(tiny.experiment(), **stated)
  assert '\n' not in str(error.value)


def test_numbers_of_answers_and_images():
  assert settings.check_samples(3, 1) == 3
  assert settings.check_samples(None, 5) == 5
  for wrong in (0, -1, 1.0):
    with pytest.raises(ValueError, match=f'samples is {wrong}; it must be'):
      settings.check_samples(wrong, 1)
  assert settings.indices(5, 2) == [5, 5]
  assert settings.indices(range(2), 2) == [0, 1]
  assert settings.indices(np.arange(2), 2) == [0, 1]
  with pytest.raises(ValueError, match='index has 3 numbers for 2 images'):
    settings.indices([0, 1, 2], 2)
  with pytest.raises(ValueError, match='index is -1; it must be at least 0'):
    settings.indices([0, -1], 2)
