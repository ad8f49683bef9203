import pytest
from orbit import controller

from training import log


@pytest.mark.parametrize(
  ('seconds', 'text'),
  [
    (0.4, '0s'),
    (59.6, '1m00s'),
    (185, '3m05s'),
    (27_000, '7h30m'),
    (187_200, '2d04h'),
  ],
)
def test_duration(seconds, text):
  assert log.duration(seconds) == text


def test_lines_tell_how_far_and_how_long():
  output = {
    'seconds_per_step': 0.5,
    'loss': 0.25,
    'gradient_norm': 1.5,
    'learning_rate': 1e-4,
  }
  assert log.training_line(40, 100, output) == (
    'step 40/100 | 2 steps/s | 30s left | loss 0.25 | gradient 1.5 | '
    'rate 0.0001'
  )
  assert log.evaluation_line(2, 10, 4.0).endswith('batch 2/10 | 32s left')
  assert log.evaluation_line(1, 10, None).endswith('batch 1/10')
  assert log.evaluation_line(3, 0, 4.0).endswith('batch 3 | 4 s a batch')


def test_the_other_scores_are_on_a_second_line():
  scores = {'SQ': 2.0, 'PQ': 1.23456789, 'images': 118_287}
  assert log.scores_lines(5, 'PQ', scores, ' | best so far') == (
    'step 5 | PQ 1.2346 | best so far\n  SQ 2, images 118287'
  )
  assert log.scores_lines(5, 'PQ', {'PQ': 1.0}) == 'step 5 | PQ 1'


def test_orbits_lines_are_left_out(capsys):
  with pytest.raises(KeyError):
    with log.without_orbits():
      controller._log('train | step 1')
      raise KeyError
  assert capsys.readouterr().out == ''
  controller._log('train | step 2')
  assert capsys.readouterr().out == 'train | step 2\n'
