"""Tests of the scores by steps and td."""

import pytest
import tiny
from PIL import Image

from benchmarks import dial
from data import registry
from tasks import predictor as predictor_lib


def test_scores_are_listed_and_drawn(tmp_path):
  output = tmp_path / 'dial.png'
  found = [
    dial.Score(td, steps, {'images': 2.0, 'PQ': 10.0 * steps + td}, 1.5)
    for td in (0.0, 2.5)
    for steps in (1, 5)
  ]
  head, rule, *rows, last = dial.report(
    tiny.experiment(), iter(found), str(output)
  )
  assert head == '| td | steps | ms an image | images | PQ |'
  assert rule.count('|') == head.count('|')
  assert rows[-1] == '| 2.5 | 5 | 1.5 | 2.0 | 52.5 |' and len(rows) == 4
  assert last.strip() == f'{output} shows PQ by steps.'
  with Image.open(output) as image:
    assert len(image.getcolors(2**16)) > 10


def test_a_list_of_no_numbers_is_refused():
  assert dial._numbers('td', ['0', '2.5'], float) == [0, 2.5]
  with pytest.raises(ValueError, match='--steps=1,x is no list of numbers'):
    dial._numbers('steps', ['1', 'x'], int)


@pytest.mark.slow
def test_each_setting_is_scored():
  config = tiny.experiment(data__shapes__eval_examples=4)
  model = tiny.build(seed=3)
  predictor = predictor_lib.Predictor(
    config, registry.class_table(config.data), model
  )
  found = list(dial.turn(predictor, [1, 3], [0.0]))
  assert [(score.td, score.steps) for score in found] == [(0, 1), (0, 3)]
  assert all(score.milliseconds > 0 for score in found)
  assert all(score.scores['images'] == 4 for score in found)
  with pytest.raises(ValueError, match='evaluation.sampler.steps is 0'):
    next(dial.turn(predictor, [1, 0], [0.0]))
