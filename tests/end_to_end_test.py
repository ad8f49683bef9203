"""The whole program: data, network, loop and scores together."""

import json
import shutil

import numpy as np
import processes
import pytest
import tensorflow as tf
import tiny

from configs import loading
from panoptic import decode
from tasks import images
from tasks import scorer as scorer_lib
from training import evaluator as evaluator_lib
from training import state as state_lib
from training import trainer as trainer_lib

_RATE = 3e-3


class _Task(images.ImageTask):
  """Keeps what it scores."""

  def __init__(self, config):
    super().__init__(config)
    self.label_maps, self.segments = {}, {}

  def new_scorer(self, run=0):
    scorer = super().new_scorer(run)
    update = scorer.update

    def keep(outputs):
      names = ('label_map', 'resized_size', 'original_size')
      columns = [outputs[name] for name in ('image_id', *names)]
      for image_id, label_map, *sizes in zip(*columns, strict=True):
        self.label_maps[int(image_id)] = label_map
        self.segments[int(image_id)] = decode.decode(
          label_map,
          *sizes,
          scorer_lib.rule(self.config),
          self.eval_set.classes,
        )
      update(outputs)

    scorer.update = keep
    return scorer


def _run(strategy, truth=None):
  """Evaluates weights at random, then trains them for three steps.

  Args:
    strategy: where.
    truth: maps to score against by the image's id; None: the true ones.
  """
  config = tiny.experiment(
    model__encoder__drop_path=0.1,
    model__encoder__drop_units=0.1,
    model__decoder__dropout=0.1,
    # The epsilon keeps Adam from making rounding errors large.
    optimizer__learning_rate=_RATE,
    optimizer__epsilon=1e-4,
    evaluation__segments_by='class_and_id',
  )
  task = _Task(config)
  state = state_lib.build(task, strategy)
  with strategy.scope():
    tiny.randomize(state.model)
    state.start_average()
  sheets = task.visualize(state.average, strategy)
  if truth:
    task.eval_set.ground_truth = truth.get
  scores = evaluator_lib.Evaluator(task, state.average, strategy).evaluate(
    tf.constant(-1)
  )
  trainer = trainer_lib.Trainer(task, state, strategy)
  trainer.train(tf.constant(3))
  return task, scores, sheets, state, trainer.output


@pytest.mark.slow
def test_two_devices_do_as_one(one_device, two_cpus):
  task, _, sheets, one, output = _run(one_device)
  # What one device drew is the truth for two: PQ is near 100 if each map meets
  # that of its own image, and equals it.
  other_task, scores, other_sheets, two, other_output = _run(
    two_cpus, truth=task.segments
  )
  maps, other_maps = task.label_maps, other_task.label_maps
  assert sorted(maps) == sorted(other_maps) == list(range(6))
  equal = [np.all(maps[i] == other_maps[i], axis=-1) for i in range(6)]
  assert np.mean(equal) > 0.995
  assert scores['PQ'] > 95 and scores['images'] == 6
  assert sheets.keys() == other_sheets.keys()
  for name, sheet in sheets.items():
    assert np.mean(sheet == other_sheets[name]) > 0.99
  for name in ('loss', 'loss_class', 'loss_instance', 'gradient_norm'):
    assert output[name] == pytest.approx(other_output[name], rel=1e-3)
  for a, b in ((one.model, two.model), (one.average, two.average)):
    for v, w in zip(a.weights, b.weights, strict=True):
      np.testing.assert_allclose(
        v.numpy(), w.numpy(), rtol=1e-4, atol=0.03 * _RATE, err_msg=v.name
      )


def _start(module, log, folder, config_file, *flags, **environment):
  return processes.Process(
    module,
    [f'--model_dir={folder}', f'--config_file={config_file}', *flags],
    log,
    environment,
  )


def _values(prefix):
  reader = tf.train.load_checkpoint(str(prefix))
  return {
    key: reader.get_tensor(key)
    for key in reader.get_variable_to_shape_map()
    # What is left out counts how often the run was saved.
    if not key.startswith(('_CHECKPOINTABLE_OBJECT_GRAPH', 'save_counter'))
  }


def _save_config(folder):
  """Writes the experiment of the killed run; returns its path."""
  config = tiny.experiment(
    model__encoder__drop_path=0.1,
    model__encoder__drop_units=0.1,
    model__decoder__dropout=0.1,
    data__shapes__size=40,
    data__augmentation__scale_jitter=(1.0, 2.0),
    data__augmentation__color_jitter=0.5,
    training__steps=6,
    training__checkpoint_every=2,
  )
  loading.save(config, str(folder))
  return folder / 'experiment.yaml'


@pytest.mark.slow
def test_a_killed_run_goes_on_alone_and_by_two_workers(tmp_path):
  config_file, killed = _save_config(tmp_path), tmp_path / 'killed'
  _start(
    'plain_program',
    tmp_path / 'killed.log',
    killed,
    config_file,
    '--mode=train',
    KILL_AT='5',
  ).end_by_kill()
  assert (killed / 'ckpt-2.index').exists()
  assert not (killed / 'ckpt-6.index').exists()
  for copy in ('cut', 'run'):
    shutil.copytree(killed, tmp_path / copy)
  _ends_with_the_same_bits_as_a_whole_one(tmp_path, config_file)
  _two_workers_go_on_and_score_every_scene(tmp_path / 'run', config_file)


def _ends_with_the_same_bits_as_a_whole_one(tmp_path, config_file):
  whole, cut = tmp_path / 'whole', tmp_path / 'cut'

  def start(folder, name, *flags):
    log = tmp_path / f'{name}.log'
    return _start('plain_program', log, folder, config_file, *flags)

  alone = start(whole, 'alone', '--mode=train')
  scorer = start(whole, 'scorer', '--mode=continuous_eval', '--timeout=300')
  resumed = start(cut, 'resumed', '--mode=train')
  assert 'Resumed from' in resumed.finish()
  alone.finish()
  scorer.finish()
  lines = (whole / 'metrics.jsonl').read_text().splitlines()
  steps = [json.loads(line)['step'] for line in lines]
  assert steps == sorted(set(steps)) and steps[-1] == 6
  assert set(steps) <= {2, 4, 6}
  expected, actual = _values(whole / 'ckpt-6'), _values(cut / 'ckpt-6')
  assert expected.keys() == actual.keys()
  parts = {key.split('/')[0] for key in expected}
  assert {'model', 'ema', 'optimizer', 'step'} <= parts
  for key, value in expected.items():
    np.testing.assert_array_equal(value, actual[key], key)


def _start_workers(folder, config_file):
  addresses = processes.free_addresses(2)
  return [
    _start(
      'program',
      folder.parent / f'worker_{index}.log',
      folder,
      config_file,
      '--mode=train_and_eval',
      '--strategy=multi_worker',
      TF_CONFIG=processes.tf_config(addresses, index),
    )
    for index in range(2)
  ]


def _two_workers_go_on_and_score_every_scene(folder, config_file):
  # `training.restart_test` kills workers.
  for worker in _start_workers(folder, config_file):
    assert 'Resumed from' in worker.finish()
  (line,) = (folder / 'metrics.jsonl').read_text().splitlines()
  assert json.loads(line)['step'] == 6
  assert json.loads(line)['metrics']['images'] == 6
  assert (folder / 'ckpt-6.index').exists()
