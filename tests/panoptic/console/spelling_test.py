import pytest

from panoptic.console import spelling

_FIELDS = (
  *('training.steps', 'evaluation.sampler.steps', 'optimizer.learning_rate'),
  *('model.encoder.dim', 'model.decoder.dim', 'model.bits', 'data.dir'),
)


@pytest.mark.parametrize(
  ('name', 'near'),
  [
    ('training.stepz', ['training.steps']),
    ('steps', ['training.steps', 'evaluation.sampler.steps']),
    ('model.dim', ['model.encoder.dim', 'model.decoder.dim']),
    ('training.learning_rate', ['optimizer.learning_rate']),
    ('lerning_rate', ['optimizer.learning_rate']),
    ('dir', ['data.dir']),
    ('evaluation.dir', ['data.dir']),
    ('model.enc', ['model.encoder.dim']),
    ('zzz', []),
  ],
)
def test_the_nearest_names(name, near):
  found = spelling.nearest(name, _FIELDS)
  assert sorted(found) == sorted(near)


def test_no_more_than_three():
  assert len(spelling.nearest('x', [f'{i}.x' for i in range(9)])) == 3
  assert spelling.nearest('x', []) == []


def test_the_question():
  assert spelling.did_you_mean('shpaes', ['shapes', 'davis']) == (
    "did you mean 'shapes'?"
  )
  assert spelling.did_you_mean('dim', _FIELDS).count(' or ') == 1
  assert spelling.did_you_mean('zzz', _FIELDS) == ''
