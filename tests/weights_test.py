"""The stored weights score as their cards say; so sampler and metrics work."""

import json
import pathlib

import pytest
import tensorflow as tf

import main  # noqa: F401  Registers the experiments.
from tasks import factory, scorer
from tasks import predictor as predictor_lib
from training import evaluator as evaluator_lib

_WEIGHTS = pathlib.Path(main.__file__).parent / 'weights'


@pytest.mark.slow
@pytest.mark.parametrize(
  ('name', 'part', 'tolerance'),
  # A part of the split, whose score is within so much of that of the whole.
  [
    ('shapes', {'data.shapes.eval_examples': 64}, 5),
    (
      'moving_shapes',
      {'data.moving_shapes.eval_examples': 8, 'evaluation.batch_size': 8},
      8,
    ),
  ],
)
def test_they_score_as_their_card_says(name, part, tolerance, one_device):
  predictor = predictor_lib.load(
    _WEIGHTS / name, params_override=part, verbose=False
  )
  task = factory.create(predictor.config)
  found = evaluator_lib.Evaluator(task, predictor.model, one_device).evaluate(
    tf.constant(-1)
  )
  line = (_WEIGHTS / name / 'metrics.jsonl').read_text().splitlines()[-1]
  stated = json.loads(line)['metrics']
  metric = scorer.metric_of(predictor.config).main_score
  assert found[metric] == pytest.approx(stated[metric], abs=tolerance)
  assert (
    f'{metric} {stated[metric]:.1f}'
    in (_WEIGHTS / name / 'README.md').read_text()
  )
