"""Tests of training.csv and of the chart of it; none trains."""

import math

import numpy as np
import pytest
from PIL import Image

from training.run_folder import curves, json_lines, training_log

_NAMES = ('loss', 'steps_per_second')


def _log(folder, step=0, names=_NAMES):
  return training_log.TrainingLog(str(folder), names, step)


def _text(folder):
  return (folder / 'training.csv').read_text()


def test_a_line_a_step(tmp_path):
  log = _log(tmp_path)
  assert _text(tmp_path) == 'step,loss,steps_per_second\n'
  log.append(1, {'loss': 0.1})
  log.append(50, {'loss': 1e-5, 'steps_per_second': 2.5})
  assert _text(tmp_path).splitlines()[1:] == ['1,0.1,', '50,1e-05,2.5']
  first, second = training_log.read(str(tmp_path))
  assert math.isnan(first['steps_per_second'])
  assert second == {'step': 50, 'loss': 1e-5, 'steps_per_second': 2.5}
  assert training_log.read(str(tmp_path / 'none')) == []


def test_steps_that_are_made_again_have_one_line(tmp_path):
  log = _log(tmp_path)
  for step in (10, 20, 30):
    log.append(step, {'loss': step})
  log = _log(tmp_path, step=20)
  log.append(30, {'loss': 31})
  rows = training_log.read(str(tmp_path))
  assert [(row['step'], row['loss']) for row in rows] == [
    (10, 10),
    (20, 20),
    (30, 31),
  ]
  before = (tmp_path / 'training.csv').stat()
  _log(tmp_path, step=30)
  after = (tmp_path / 'training.csv').stat()
  assert before.st_ino == after.st_ino  # Nothing to be mended.


@pytest.mark.parametrize(
  'torn',
  ['30,0.12', '30,0.1234', '30', '\x00\x00', '30,0.1,2\x00\n', 'x,y,z\n'],
)
def test_torn_lines_are_removed(tmp_path, torn):
  whole = 'step,loss,steps_per_second\n10,0.5,2\n20,0.4,2\n'
  for content in (f'{whole}{torn}', whole):
    (tmp_path / 'training.csv').write_text(content)
    rows = training_log.read(str(tmp_path))
    assert [row['step'] for row in rows] == [10, 20]
    _log(tmp_path, step=99).append(30, {'loss': 0.3, 'steps_per_second': 2})
    assert _text(tmp_path) == f'{whole}30,0.3,2\n'


@pytest.mark.parametrize('content', ['', '\n', 'ste', '\x00', 'a,b\n1,2\n'])
def test_a_file_without_steps_is_begun_anew(tmp_path, content):
  (tmp_path / 'training.csv').write_text(content)
  assert training_log.read(str(tmp_path)) == []
  _log(tmp_path, step=99)
  assert _text(tmp_path) == 'step,loss,steps_per_second\n'


def test_a_run_that_goes_on_with_other_losses(tmp_path):
  _log(tmp_path, names=('loss', 'old')).append(10, {'loss': 1, 'old': 2})
  _log(tmp_path, 10, ('loss', 'new')).append(20, {'loss': 3, 'new': 4})
  assert _text(tmp_path) == 'step,loss,old,new\n10,1,2,\n20,3,,4\n'


def test_the_chart_has_losses_and_scores(tmp_path):
  record = tmp_path / 'metrics.jsonl'

  def shape():
    curves.draw(str(tmp_path), ('loss', 'absent'), str(record))
    path = tmp_path / 'curves.png'
    return np.asarray(Image.open(path)).shape if path.exists() else None

  assert shape() is None
  log = _log(tmp_path)
  log.append(1, {'loss': 2.0})
  log.append(2, {'loss': 1.0})
  one = shape()
  for step, score in ((2, 10.0), (4, math.nan), (4, 20.0)):
    line = {'step': step, 'metrics': {'PQ': score, 'images': 8}}
    json_lines.append(str(record), line)
  assert shape() == (2 * one[0], *one[1:])
