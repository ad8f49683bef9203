"""Whole runs on a file system of TensorFlow that is not the local one."""

import json
import os

import numpy as np
import program
import pytest
import tensorflow as tf
import tiny
import trees

from configs import base
from data import prepare, registry
from data.reading import byte_ranges, split_index
from panoptic import files


def _move(folder, remote):
  """Copies a tree to another file system, and removes the local one."""
  for path in sorted(folder.rglob('*')):
    if path.is_file():
      target = f'{remote}/{path.relative_to(folder)}'
      tf.io.gfile.makedirs(os.path.dirname(target))
      tf.io.gfile.copy(str(path), target, overwrite=True)
  tf.io.gfile.rmtree(str(folder))


def _read(path):
  return files.read_bytes(path).decode()


@pytest.mark.slow
def test_a_run_from_data_to_predictions(tmp_path):
  official = tmp_path / 'official'
  trees.coco(official, count=4)
  _move(official, 'ram://whole/data')
  config = tiny.experiment(
    training__steps=2,
    evaluation__num_visualized=1,
    evaluation__write_results=True,
  )
  config.data = base.Data(
    name='panoptic_folder',
    dir='ram://whole/data',
    train_split='val2017',
    eval_split='val2017',
  )
  files.write_text('ram://whole/config.yaml', _as_yaml(config))
  run = 'ram://whole/run'
  arguments = ('--config_file=ram://whole/config.yaml', f'--model_dir={run}')
  program.run('--mode=train_and_eval', *arguments)
  (line,) = _read(f'{run}/metrics.jsonl').splitlines()
  assert json.loads(line)['metrics']['images'] == 4
  names = {entry.name for entry in files.scan(run)}
  assert {'ckpt-2.index', 'best', 'pictures', 'experiment.yaml'} <= names
  assert files.is_file(f'{run}/pictures/predictions-2.png')
  # The index lies beside the data, and nothing half written does.
  assert '.pix2seq_d-panoptic_folder-val2017.npz' in {
    entry.name for entry in files.scan('ram://whole/data')
  }
  everything = [
    f'{folder}/{name}'
    for folder, _, found in tf.io.gfile.walk('ram://whole')
    for name in found
  ]
  assert not [path for path in everything if path.endswith('.tmp')]
  results = [p for p in everything if '/results/' in p and p.endswith('.json')]
  assert len(json.loads(_read(results[0]))['annotations']) == 4
  # The same command finds nothing to do; another run starts from this one.
  program.run('--mode=train_and_eval', *arguments)
  assert len(_read(f'{run}/metrics.jsonl').splitlines()) == 1
  program.run(
    '--mode=eval',
    '--config_file=ram://whole/config.yaml',
    '--model_dir=ram://whole/scores',
    f'--params_override=training.init_checkpoint=[{run}]',
  )
  again = json.loads(_read('ram://whole/scores/eval.jsonl'))['metrics']
  assert again['PQ'] == pytest.approx(json.loads(line)['metrics']['PQ'])
  program.run(
    '--mode=predict',
    *arguments,
    '--input=ram://whole/data/val2017',
    '--output=ram://whole/out',
  )
  assert len(files.scan('ram://whole/out/overlay')) == 4
  predicted = json.loads(_read('ram://whole/out/panoptic.json'))
  assert len(predicted['annotations']) == 4


def _as_yaml(config):
  return json.dumps(config.as_dict())


@pytest.mark.parametrize(
  ('name', 'make', 'split'),
  [
    ('kitti_step', trees.kitti_step, 'train'),
    ('davis', trees.davis, 'val'),
    ('cityscapes', trees.cityscapes, 'val'),
  ],
)
def test_data_sets_elsewhere_are_the_same(tmp_path, name, make, split):
  root, remote = tmp_path / 'data', f'ram://{name}'
  make(root)
  here = registry.create(base.Data(name=name, dir=str(root)), split)
  expected = [here.example(i) for i in range(here.num_examples)]
  _move(root, remote)
  there = registry.create(base.Data(name=name, dir=remote), split)
  assert there.image_ids == here.image_ids
  assert there.sequences == here.sequences
  for i, example in enumerate(expected):
    for key, value in example.items():
      np.testing.assert_array_equal(there.example(i)[key], value)


def test_records_elsewhere_are_read_by_ranges():
  # TFDS itself knows buckets, but not `ram://`.
  content = bytes(range(100))
  files.write_bytes('ram://records/shard', content)
  ranges = split_index.ByteRanges(
    ('ram://records/shard',),
    np.zeros(3, np.int32),
    start=np.array([0, 17, 90]),
    length=np.array([5, 40, 10]),
  )
  reader = byte_ranges.Reader(ranges)
  for i, (start, length) in enumerate(((0, 5), (17, 40), (90, 10))):
    expected = content[start : start + length]
    assert reader.read(tf.constant(i, tf.int64)).numpy() == expected
    assert ranges.read(i) == expected


def test_what_is_not_there_is_said_in_one_sentence():
  config = base.Data(name='coco_panoptic', dir='ram://nowhere')
  with pytest.raises(FileNotFoundError, match='ram://nowhere does not exist'):
    registry.create(config, 'val2017')
  with pytest.raises(ValueError, match='not on a local disk: prepare on one'):
    prepare.prepare('davis', '', 'gs://bucket/records')
