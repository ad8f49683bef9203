"""Tests of evaluation in several runs."""

import json

import loop_fakes
import numpy as np
import pytest
import tensorflow as tf

from configs import loading
from training import evaluation, repeated_evaluation


def _evaluate(one_device, tmp_path, count, **changes):
  weights = tmp_path / 'weights.npz'
  config = loop_fakes.config(
    evaluation__runs=count,
    training__init_checkpoint=(str(weights),),
    **changes,
  )
  task = loop_fakes.FakeTask(config)
  if not weights.exists():
    values = task.build_model().get_weights()
    np.savez(weights, **{f'w{i}': value for i, value in enumerate(values)})
  scores = evaluation.evaluate(task, one_device, str(tmp_path))
  return scores, sorted({seed for seed, _ in task.memories})


def _lines(tmp_path):
  text = (tmp_path / 'runs.jsonl').read_text()
  return [json.loads(line) for line in text.splitlines()]


def test_runs_differ_in_seed_and_are_not_repeated(one_device, tmp_path):
  scores, seeds = _evaluate(one_device, tmp_path, 3)
  assert seeds == [0, 1, 2]
  assert [line['run'] for line in _lines(tmp_path)] == [0, 1, 2]
  assert scores['error_std'] >= 0
  assert scores['error'] == pytest.approx(
    _lines(tmp_path)[0]['metrics']['error']
  )

  # The last line is cut short, as by a kill.
  path = tmp_path / 'runs.jsonl'
  path.write_text(path.read_text()[:-20])
  again, seeds = _evaluate(one_device, tmp_path, 4)
  assert seeds == [2, 3]
  assert again['error'] == pytest.approx(scores['error'])
  (*_, last) = (tmp_path / 'eval.jsonl').read_text().splitlines()
  last = json.loads(last)
  assert last['metrics'] == again
  # What was scored, and how, so that lines of one step can be told apart.
  assert last['split'] == 'validation' and last['evaluation']['runs'] == 4

  # Other settings are other runs.
  _, seeds = _evaluate(
    one_device, tmp_path, 2, evaluation__min_segment_pixels=9
  )
  assert seeds == [0, 1]


def test_a_checkpoint_is_known_by_what_it_holds(tmp_path):
  def key(folder, value):
    checkpoint = tf.train.Checkpoint(weight=tf.Variable([value, 1.0]))
    checkpoint.write(str(tmp_path / folder / 'ckpt-1'))
    return repeated_evaluation.keys(
      loop_fakes.config(), str(tmp_path / folder / 'ckpt-1')
    )

  first = key('run', 2.0)
  assert key('moved', 2.0) == first
  assert key('run', 3.0) != first
  config = loop_fakes.config(
    training__init_checkpoint=(str(tmp_path / 'moved'),)
  )
  (tmp_path / 'moved' / 'checkpoint').write_text(
    'model_checkpoint_path: "ckpt-1"'
  )
  assert repeated_evaluation.keys(config, '') == first


def test_records_made_with_old_names_of_fields_are_recognized(tmp_path):
  # Keys as they were when fields had their old names, of weights that are not
  # a checkpoint.
  of_experiments = {
    'shapes': 'd87cb9c532603060',
    'moving_shapes': '56ec923649425e50',
    'coco_panoptic': 'fbe0b70c3fe6f781',
    'cityscapes_panoptic': '74c61b9c9bc9c7f9',
    'davis': 'ed2aa9d9961a3431',
    'kitti_step_small': '09ef74556d17e98d',
  }
  record = str(tmp_path / 'runs.jsonl')
  for name, key in of_experiments.items():
    repeated_evaluation.append(record, key, 7, {'name': name})
  for name in of_experiments:
    config = loading.load(name, '', 'training.init_checkpoint=[weights]')
    keys = repeated_evaluation.keys(config, '')
    assert repeated_evaluation.read(record, keys) == {7: {'name': name}}
    config.model.bits += 1
    keys = repeated_evaluation.keys(config, '')
    assert not repeated_evaluation.read(record, keys)


def test_summary():
  found = repeated_evaluation.summarize([{'J': 1.0}, {'J': 2.0}, {'J': 6.0}])
  assert found == pytest.approx({'J': 3.0, 'J_std': 7**0.5})
