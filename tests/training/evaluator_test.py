import loop_fakes
import numpy as np
import tensorflow as tf

from training import evaluator as evaluator_lib
from training import state as state_lib


def test_all_examples_once_under_any_number_of_replicas(one_device, two_cpus):
  scores = []
  for strategy, jit_compile in (
    (one_device, False),
    (one_device, True),
    (two_cpus, False),
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
