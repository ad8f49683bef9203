"""Tests of strategies, of TPUs without one among them."""

import gc

import pytest
import tensorflow as tf
import tiny
import tpu_of_cpus

from configs import base
from tasks import factory
from training import evaluator as evaluator_lib
from training import state as state_lib
from training import strategy as strategy_lib
from training import trainer as trainer_lib


@pytest.mark.parametrize(
  ('size', 'replicas', 'filled'), [(8, 16, 16), (16, 16, 16), (17, 4, 20)]
)
def test_evaluation_fills_the_replicas(capsys, size, replicas, filled):
  config = base.Evaluation(batch_size=size)
  strategy_lib.fill_replicas(config, replicas)
  assert config.batch_size == filled
  told = capsys.readouterr().out
  assert (f'from {size} to {filled}' in told) == (size != filled)


@pytest.mark.parametrize(
  ('tpu', 'sentence'),
  [
    ('', 'needs --tpu'),
    ('local', 'replace the package tensorflow by tensorflow-tpu=='),
    ('no-such-tpu', 'No TPU answers to --tpu=no-such-tpu .*: give the name'),
  ],
)
def test_no_tpu_ends_with_one_sentence(monkeypatch, tpu, sentence):
  # TensorFlow collects garbage first, a minute's work after many tests.
  monkeypatch.setattr(gc, 'collect', lambda *_: 0)
  with pytest.raises(ValueError, match=sentence) as error:
    strategy_lib.create('tpu', tpu)
  assert '\n' not in str(error.value)


def test_one_cpu_reads_the_data_set_itself():
  batches = tf.data.Dataset.range(4)
  strategy = tf.distribute.OneDeviceStrategy('/cpu:0')
  found = strategy_lib.distribute_dataset(strategy, lambda context: batches)
  assert found is batches


def _config(video, accumulation_steps):
  config = tiny.experiment(
    model__decoder__dropout=0.1,
    optimizer__accumulation_steps=accumulation_steps,
    training__jit_compile=accumulation_steps > 1,
    training__recompute=accumulation_steps > 1,
  )
  if video:
    config.task, config.data.name = 'video', 'moving_shapes'
    config.model.past_masks = 2
    config.evaluation.video.first_frame_steps = 3
    config.data.moving_shapes = base.MovingShapes(
      size=32, frames=3, eval_examples=2, train_examples=50
    )
  return config


@pytest.mark.slow
@pytest.mark.parametrize(
  ('video', 'accumulation_steps'), [(False, 2), (True, 1)]
)
def test_all_loops_are_traced_under_a_tpu_strategy(video, accumulation_steps):
  config = _config(video, accumulation_steps)
  strategy = tpu_of_cpus.strategy()
  task = factory.create(config)
  state = state_lib.build(task, strategy)
  trainer = trainer_lib.Trainer(task, state, strategy)
  graph = trainer.create_train_loop_fn().get_concrete_function(
    iter(trainer.train_dataset), tf.constant(3)
  )
  ops = tpu_of_cpus.ops_in_clusters(graph)
  # The exchange of gradients, and of statistics of batch norm.
  assert ops['CrossReplicaSum'] > 20 and ops['Conv2DBackpropFilter'] > 20
  # Strings and calls of the host do not run on a TPU.
  assert not {'PyFunc', 'EagerPyFunc', 'StringJoin', 'AsString'} & set(ops)
  evaluator = evaluator_lib.Evaluator(task, state.average, strategy)
  rows = config.evaluation.batch_size // strategy.num_replicas_in_sync
  evaluator._initial_state.get_concrete_function(tf.constant(0, tf.int64))
  predictions = tpu_of_cpus.on_replicas(
    task.initial_state(rows, tf.constant(0, tf.int64)),
    strategy.num_replicas_in_sync,
  )
  graph = evaluator._step.get_concrete_function(
    iter(evaluator._eval_dataset), predictions
  )
  assert tpu_of_cpus.ops_in_clusters(graph)['Conv2D'] > 20
  batch = task.batch_of_images(
    tf.zeros([1, *config.model.image_size, 3]), tf.zeros([1], tf.int64)
  )
  if not video:
    graph = task.show_on_replicas.get_concrete_function(
      strategy, state.average, batch['image'], batch['index']
    )
    assert tpu_of_cpus.ops_in_clusters(graph)['Conv2D'] > 20
