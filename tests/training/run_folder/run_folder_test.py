"""Tests of what lies in a run's folder; none trains."""

import json
import os
import subprocess
import sys
import threading

import pytest
import tensorflow as tf

from panoptic import files
from training.run_folder import events, json_lines, leftovers, lock

_FAST = lock.Times(beat=0.05, patience=0.3, poll=0.05, settle=0.01)


def test_a_kill_leaves_a_line_whole_or_out(tmp_path, monkeypatch):
  path = tmp_path / 'run' / 'scores.jsonl'
  json_lines.append(str(path), {'step': 1})

  def killed(*_):
    raise KeyboardInterrupt

  with monkeypatch.context() as patch:
    patch.setattr(files, 'replace', killed)
    with pytest.raises(KeyboardInterrupt):
      json_lines.append(str(path), {'step': 2})
  assert path.read_text() == '{"step": 1}\n'
  assert os.listdir(path.parent) == ['scores.jsonl']
  json_lines.append(str(path), {'step': 2})
  assert json_lines.read(str(path)) == [{'step': 1}, {'step': 2}]


@pytest.mark.parametrize(
  'torn', ['{"step": 2, "met', '{"step": 2, "met\n', '12\n', '\n', '\x00\x00']
)
def test_torn_lines_are_removed(tmp_path, torn):
  path = tmp_path / 'scores.jsonl'
  whole = '{"step": 1}\n{"step": 3, "score": NaN}\n'
  for content in (f'{whole}{torn}', f'{torn}\n{whole}', whole[:-1]):
    path.write_text(content)
    assert [line['step'] for line in json_lines.read(str(path))] == [1, 3]
    json_lines.repair(str(path))
    assert path.read_text() == whole
  json_lines.repair(str(tmp_path / 'none.jsonl'))
  json_lines.append(str(path), {'step': 4})
  assert path.read_text() == f'{whole}{{"step": 4}}\n'


def test_threads_append_without_loss(tmp_path):
  path = str(tmp_path / 'scores.jsonl')

  def append(start):
    for step in range(start, start + 10):
      json_lines.append(path, {'step': step})

  threads = [threading.Thread(target=append, args=[10 * i]) for i in range(4)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert sorted(line['step'] for line in json_lines.read(path)) == [*range(40)]


_UUID = '0123456789abcdef' * 2
_LEFT = (
  f'experiment.yaml.{_UUID}.tmp',
  f'checkpoint.tmp{_UUID}',
  'ckpt-45_temp/part-00000-of-00001.data-00000-of-00001',
  'ckpt-45.data-00000-of-00001',
  f'train/events.out.tfevents.1.host.7.0.v2.{_UUID}.tmp',
)
_LEFT_BY_EVALUATION = (
  'best/ckpt-8.index.tmp',
  'best/ckpt-8.data-00000-of-00001.tmp',
  f'pictures/answers-4.png.{_UUID}.tmp',
)
_KEPT = (
  *('ckpt-40.index', 'ckpt-40.data-00000-of-00001', 'checkpoint'),
  *('metrics.jsonl', 'notes.tmp', 'my_temp/a', 'best/ckpt-4.index'),
  *('best/ckpt-4.data-00000-of-00001', 'ckpt-4.copy', 'results/x.tmp'),
)


@pytest.mark.parametrize('evaluates', [True, False])
def test_only_leftovers_are_removed(tmp_path, evaluates):
  for name in (*_LEFT, *_LEFT_BY_EVALUATION, *_KEPT):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
  leftovers.remove(str(tmp_path), evaluates)
  left = {
    str(path.relative_to(tmp_path))
    for path in tmp_path.rglob('*')
    if path.is_file()
  }
  assert left == {*_KEPT, *(() if evaluates else _LEFT_BY_EVALUATION)}
  assert not (tmp_path / 'ckpt-45_temp').exists()
  leftovers.remove(str(tmp_path / 'none'), evaluates)


def _steps(folder):
  found = []
  for path in sorted(folder.glob('events*')):
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
      event = tf.compat.v1.Event.FromString(record)
      found += [event.step] if event.HasField('summary') else []
  return found


def test_events_of_steps_to_come_are_removed(tmp_path):
  for start in (0, 3):
    with tf.summary.create_file_writer(str(tmp_path)).as_default():
      for step in range(start, start + 3):
        tf.summary.scalar('loss', 0.5, step=step)
  first, second = sorted(tmp_path.glob('events*'))
  content, before = second.read_bytes(), first.stat().st_mtime_ns
  second.write_bytes(content[:-5])  # A kill has cut the last one short.
  events.keep(str(tmp_path), lambda step: step <= 3)
  assert _steps(tmp_path) == [0, 1, 2, 3]
  assert first.stat().st_mtime_ns == before
  assert len(os.listdir(tmp_path)) == 2


def test_a_living_process_keeps_its_folder(tmp_path):
  folder = str(tmp_path / 'run')
  with lock.RunLock(folder, _FAST) as held:
    sentence = f'process {os.getpid()} on .* trains in {folder}'
    with pytest.raises(ValueError, match=sentence) as error:
      lock.RunLock(folder, _FAST).__enter__()
    assert '\n' not in str(error.value)
    held.check()
  assert os.listdir(folder) == []
  with pytest.raises(FloatingPointError):
    with lock.RunLock(folder, _FAST):
      raise FloatingPointError
  assert os.listdir(folder) == []


def _hold(folder, **changes):
  """Leaves the lock of another process, with other values of some fields."""
  held = lock.RunLock(str(folder), _FAST)
  folder.mkdir(exist_ok=True)
  values = {**held._own, 'token': 'other', **changes}
  (folder / lock.FILE).write_text(json.dumps(values))


def test_a_dead_process_of_this_machine_is_told_at_once(tmp_path):
  ended = subprocess.Popen([sys.executable, '-c', ''])
  ended.wait()
  slow = lock.Times(patience=1000, settle=0.01)
  # Its number may be another process's by now.
  for changes in ({'pid': ended.pid}, {'process_start': '1'}):
    _hold(tmp_path, **changes)
    with lock.RunLock(str(tmp_path), slow):
      pass
  (tmp_path / lock.FILE).write_text('{"host')
  with lock.RunLock(str(tmp_path), slow):
    pass


def test_another_machine_is_known_by_its_signs_of_life(tmp_path, capsys):
  _hold(tmp_path, machine='other', host='other', pid=7)
  with lock.RunLock(str(tmp_path), _FAST):
    pass
  assert 'process 7 on other: waiting up to 0.3 s' in capsys.readouterr().out
  with lock.RunLock(str(tmp_path), _FAST) as held:
    later = lock.RunLock(str(tmp_path), _FAST)
    later._own['machine'] = 'other'
    with pytest.raises(ValueError, match='trains in'):
      later.__enter__()
    # What takes a lock while its holder sleeps ends the holder.
    for _ in range(100):
      if held._lost is None:  # A sign of life may have come in between.
        _hold(tmp_path, host='third', pid=9)
        held._beating.join(0.1)
    with pytest.raises(ValueError, match='process 9 on third trains in'):
      held.check()
  assert os.listdir(tmp_path) == [lock.FILE]
