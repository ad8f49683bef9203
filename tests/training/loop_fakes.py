"""A tiny task for the loop: regression on random numbers.

As a program (see `processes`) it trains that task, so that tests can kill it.
"""

import json
import os
import signal

import numpy as np
import tensorflow as tf
import tf_keras

from configs import base

WIDTH = 4
EVAL_EXAMPLES = 10


def config(**changes):
  """Returns a small experiment; names are 'section__field'."""
  experiment = base.Experiment()
  experiment.training.steps = 12
  experiment.training.batch_size = 8
  experiment.training.log_every = 4
  experiment.training.checkpoint_every = 4
  experiment.evaluation.batch_size = 4
  experiment.optimizer.learning_rate = 0.05
  for name, value in changes.items():
    section, field = name.split('__')
    setattr(getattr(experiment, section), field, value)
  return experiment


class FakeTask:
  """Fits y = sum of squares with a small network.

  Args of the constructor:
    experiment: the configuration.
    batch_norm: whether the network has batch normalization.
    signal_at: (step, signal) which the process sends itself when the data of
      that step are read.
    nan_at: step whose targets are not finite.
    scores: values of the metric, one per evaluation; None: minus the error.
  """

  metric = 'score'
  loss_names = ('squared', 'absolute')

  def __init__(
    self,
    experiment,
    batch_norm=True,
    signal_at=None,
    nan_at=None,
    scores=None,
  ):
    self.config = experiment
    self._batch_norm = batch_norm
    self._signal_at = signal_at
    self._nan_at = nan_at
    self._scores = list(scores) if scores else None
    self.seen = []  # Indices of the examples that were scored.
    self.memories = []

  def save_description(self, directory):
    del directory

  def build_model(self):
    # A bias before batch normalization has no gradient but rounding errors,
    # which Adam makes large.
    layers = [tf_keras.layers.Dense(8, use_bias=False, input_shape=(WIDTH,))]
    if self._batch_norm:
      layers.append(tf_keras.layers.BatchNormalization(synchronized=True))
    layers += [
      tf_keras.layers.Activation('tanh'),
      tf_keras.layers.Dense(1, dtype='float32'),
    ]
    return tf_keras.Sequential(layers)

  def initialize(self, model):
    with np.load(self.config.training.init_checkpoint[0]) as file:
      for i, weight in enumerate(model.weights):
        weight.assign(file[f'w{i}'])
    return _Report(model.weights)

  def train_dataset(self, start_step, input_context):
    batch_size = self.config.training.batch_size
    share = batch_size // input_context.num_input_pipelines
    first = input_context.input_pipeline_id * share

    def examples(step):
      index = step * batch_size + first + tf.range(share, dtype=tf.int64)
      batch = _examples(index)
      if self._signal_at:
        at, number = self._signal_at

        def send(step):
          if step == at:
            os.kill(os.getpid(), number)
          return step

        step = tf.numpy_function(send, [step], tf.int64)
        with tf.control_dependencies([step]):
          batch['x'] = tf.identity(batch['x'])
      if self._nan_at is not None:
        bad = tf.where(step == self._nan_at, np.nan, 0.0)
        batch['y'] += tf.cast(bad, tf.float32)
      return batch

    return _untuned(tf.data.Dataset.range(start_step, 2**40).map(examples))

  def loss(self, model, batch, compile_parts=False):
    *first, last = model.layers
    if compile_parts:  # Batch norm exchanges statistics.
      last = tf.function(last, autograph=False, jit_compile=True)
    x = batch['x']
    for layer in first:
      x = layer(x, training=True)
    answer = tf.cast(last(x), tf.float32)[:, 0]
    error = answer - batch['y']
    squared = tf.reduce_mean(error**2)
    return squared, {
      'squared': squared,
      'absolute': tf.reduce_mean(tf.abs(error)),
    }

  def eval_dataset(self, input_context):
    batch_size = self.config.evaluation.batch_size
    share = batch_size // input_context.num_input_pipelines
    first = input_context.input_pipeline_id * share
    batches = -(-EVAL_EXAMPLES // batch_size)

    def examples(i):
      index = i * batch_size + first + tf.range(share, dtype=tf.int64)
      valid = index < EVAL_EXAMPLES
      return {**_examples(index), 'index': index, 'valid': valid}

    return _untuned(tf.data.Dataset.range(batches).map(examples))

  def initial_state(self, rows, seed):
    return {'seed': seed, 'steps': tf.zeros([rows], tf.int32)}

  def predict_step(self, model, batch, state):
    error = model(batch['x'], training=False)[:, 0] - batch['y']
    outputs = {
      'error': error,
      'index': batch['index'],
      'valid': batch['valid'],
      'is_small': tf.abs(error) < 1.0,
      'seed': tf.fill(tf.shape(error), state['seed']),
      'step': state['steps'],
    }
    return outputs, {**state, 'steps': state['steps'] + 1}

  def new_scorer(self, run=0):
    del run
    return _Scorer(self)

  def visualize(self, model, strategy):
    y = model(_examples(tf.range(16, dtype=tf.int64))['x'], training=False)
    y = tf.clip_by_value(y, 0.0, 255.0)
    image = tf.tile(tf.reshape(y, [4, 4, 1]), [1, 1, 3])
    return {'answers': tf.cast(image, tf.uint8).numpy()}


class _Report:
  def __init__(self, weights):
    self._names = [weight.name for weight in weights]

  def __str__(self):
    return f'{len(self._names)} weights.'

  def listing(self):
    return '\n'.join(self._names)


class _Scorer:
  def __init__(self, task):
    self._task = task
    self._errors = []

  def update(self, outputs):
    assert 'valid' not in outputs
    assert outputs['is_small'].dtype == bool
    self._errors.extend(outputs['error'].tolist())
    self._task.seen.extend(outputs['index'].tolist())
    self._task.memories += zip(
      outputs['seed'].tolist(), outputs['step'].tolist(), strict=True
    )

  def result(self):
    error = np.mean(np.abs(self._errors))
    scores = self._task._scores
    return {
      'error': error,
      'score': scores.pop(0) if scores else -error,
    }


def _untuned(batches):
  """Spares what deletes an iterator the wait for the thread that tunes it."""
  options = tf.data.Options()
  options.autotune.enabled = False
  return batches.with_options(options)


def _examples(index):
  def x(i):
    return tf.random.stateless_normal([WIDTH], [7, tf.cast(i, tf.int32)])

  values = tf.map_fn(x, index, fn_output_signature=tf.float32)
  return {'x': values, 'y': tf.reduce_sum(values**2, axis=-1)}


def weights(state):
  """Returns all values of a state: weights, averages and moments."""
  optimizer = state.optimizer
  variables = [
    *state.model.weights,
    *state.average.weights,
    *optimizer.m,
    *optimizer.v,
    state.step,
  ]
  return [variable.numpy() for variable in variables]


def start(arguments):
  """Trains as a JSON argument says, and writes the state to a file."""
  from panoptic.console import command_line
  from training import run
  from training import strategy as strategy_lib

  options = json.loads(arguments[0])
  strategy = strategy_lib.create(options.get('strategy', 'one_device'))
  signal_at = options.get('signal_at')
  worker = options.get('only_worker')
  if worker is not None and worker != strategy.cluster_resolver.task_id:
    signal_at = None
  if signal_at:
    signal_at = (signal_at[0], signal.Signals[signal_at[1]])
  task = FakeTask(config(**options.get('config', {})), signal_at=signal_at)

  def train():
    state = run.train(
      task, strategy, options['model_dir'], options.get('evaluate', False)
    )
    np.savez(options['output'], *weights(state))

  command_line.run(['loop_fakes'], train)
