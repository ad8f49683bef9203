import threading

import loop_fakes
import numpy as np
import pytest
import tensorflow as tf

from training import evaluator as evaluator_lib
from training import state as state_lib


def test_all_examples_once_under_any_number_of_replicas(one_device, two_cpus):
  scores = []
  for strategy, jit_compile in (
    (one_device, False),
    (one_device, True),
    (two_cpus, False),
    (two_cpus, True),
  ):
    config = loop_fakes.config(training__jit_compile=jit_compile)
    task = loop_fakes.FakeTask(config)
    state = state_lib.build(task, strategy)
    evaluator = evaluator_lib.Evaluator(task, state.average, strategy)
    scores.append(evaluator.evaluate(tf.constant(-1))['error'])
    assert sorted(task.seen) == list(range(loop_fakes.EVAL_EXAMPLES))
    first, task.memories = task.memories, []
    evaluator.run = 3
    evaluator.evaluate(tf.constant(-1))
    # The state is handed on, and starts anew with the run's seed.
    seed, batches = config.evaluation.seed, 1 + first[-1][1]
    assert batches > 1
    assert {run - seed for run, _ in first} == {0}
    assert {run - seed for run, _ in task.memories} == {3}
    steps = [step for _, step in first]
    assert steps == sorted(steps) == [step for _, step in task.memories]
    assert set(steps) == set(range(batches))
    assert len(task.seen) == 2 * loop_fakes.EVAL_EXAMPLES
  np.testing.assert_allclose(scores, scores[0], rtol=1e-5)


def test_a_batch_is_scored_while_the_next_is_predicted(one_device):
  task = loop_fakes.FakeTask(loop_fakes.config())
  state = state_lib.build(task, one_device)
  predicted, waited = threading.Semaphore(0), []

  class Scorer:
    def update(self, outputs):
      del outputs
      if not waited:  # The first batch ends when the second is predicted.
        waited.append([predicted.acquire(timeout=60) for _ in range(2)])

    def result(self):
      return {'error': 0.0}

  task.new_scorer = lambda run=0: Scorer()
  evaluator = evaluator_lib.Evaluator(
    task, state.average, one_device, predicted.release
  )
  evaluator.evaluate(tf.constant(-1))
  assert waited == [[True, True]]


def test_an_error_of_scoring_ends_the_evaluation(one_device):
  task = loop_fakes.FakeTask(loop_fakes.config())
  state = state_lib.build(task, one_device)

  class Scorer:
    def update(self, outputs):
      raise FloatingPointError('of the first batch')

  task.new_scorer = lambda run=0: Scorer()
  evaluator = evaluator_lib.Evaluator(task, state.average, one_device)
  with pytest.raises(FloatingPointError, match='of the first batch'):
    evaluator.evaluate(tf.constant(-1))
