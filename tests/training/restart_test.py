"""Runs that are killed: in processes of their own."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import loop_fakes
import numpy as np
import pytest

_ROOT = pathlib.Path(__file__).resolve().parents[2]


def _start(options, tf_config=None):
  """Starts a training of the stand-in task in another process."""
  environment = {**os.environ, 'PYTHONPATH': str(_ROOT)}
  if tf_config:
    environment['TF_CONFIG'] = json.dumps(tf_config)
  return subprocess.Popen(
    [sys.executable, loop_fakes.__file__, json.dumps(options)],
    env=environment,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )


def _finish(process, returncode=0):
  output, _ = process.communicate(timeout=120)
  assert process.returncode == returncode, output
  return output


def _assert_same_state(first, second):
  with np.load(first) as a, np.load(second) as b:
    assert a.files == b.files
    for name in a.files:
      np.testing.assert_array_equal(a[name], b[name])


@pytest.mark.slow
def test_kill_9_and_restart_equals_no_interruption(tmp_path):
  def options(name, **more):
    return {
      'model_dir': str(tmp_path / name),
      'output': str(tmp_path / f'{name}.npz'),
      'config': {'training__steps': 20, 'training__checkpoint_every': 6},
      **more,
    }

  whole = _start(options('whole'))
  _finish(_start(options('cut', signal_at=[15, 'SIGKILL'])), -signal.SIGKILL)
  assert not (tmp_path / 'cut.npz').exists()
  assert (tmp_path / 'cut' / 'ckpt-6.index').exists()
  output = _finish(_start(options('cut')))
  assert 'Resumed from' in output
  _finish(whole)
  _assert_same_state(tmp_path / 'whole.npz', tmp_path / 'cut.npz')


def _free_ports(count):
  sockets = [socket.socket() for _ in range(count)]
  for item in sockets:
    item.bind(('localhost', 0))
  ports = [item.getsockname()[1] for item in sockets]
  for item in sockets:
    item.close()
  return ports


def _start_workers(tmp_path, name, of_second=None, **options):
  addresses = [f'localhost:{port}' for port in _free_ports(2)]
  return [
    _start(
      {
        'model_dir': str(tmp_path / name),
        'output': str(tmp_path / f'{name}-{index}.npz'),
        'strategy': 'multi_worker',
        'evaluate': True,
        **options,
        **(of_second if of_second and index else {}),
      },
      {
        'cluster': {'worker': addresses},
        'task': {'type': 'worker', 'index': index},
      },
    )
    for index in range(2)
  ]


@pytest.mark.slow
def test_two_workers_train_are_killed_and_go_on(tmp_path):
  chief, other = _start_workers(
    tmp_path, 'run', only_worker=1, signal_at=[9, 'SIGKILL']
  )
  _finish(other, -signal.SIGKILL)
  *_, line = _finish(chief, 1).strip().splitlines()
  assert line.startswith('FATAL: Another worker of the run has ended')
  outputs = [_finish(worker) for worker in _start_workers(tmp_path, 'run')]
  for index, output in enumerate(outputs):
    assert 'Resumed from' in output, output
    with np.load(tmp_path / f'run-{index}.npz') as state:
      assert state[state.files[-1]] == 12
  _assert_same_state(tmp_path / 'run-0.npz', tmp_path / 'run-1.npz')
  lines = (tmp_path / 'run' / 'metrics.jsonl').read_text().splitlines()
  assert [json.loads(line)['step'] for line in lines] == [12]
  assert (tmp_path / 'run' / 'best' / 'ckpt-12.index').exists()
  assert not list((tmp_path / 'run').glob('.worker*'))


@pytest.mark.slow
def test_sigterm_to_one_worker_ends_both_in_good_order(tmp_path):
  workers = _start_workers(
    tmp_path, 'run', only_worker=1, signal_at=[5, 'SIGTERM']
  )
  for worker in workers:
    assert 'Ended by SIGTERM' in _finish(worker)
  assert list((tmp_path / 'run').glob('ckpt-*.index'))


@pytest.mark.slow
def test_workers_that_were_started_differently_are_refused(tmp_path):
  workers = _start_workers(
    tmp_path,
    'run',
    of_second={'config': {'training__steps': 13}, 'evaluate': False},
  )
  for worker in workers:
    assert (
      'FATAL: Worker 1 was started differently from worker 0: mode is '
      'train_and_eval on worker 0 and train on it; training.steps is 12 on '
      'worker 0 and 13 on it. Start all with the same flags and files.'
    ) in _finish(worker, 1)
  assert not (tmp_path / 'run').exists()
