"""Runs that are killed: in processes of their own."""

import json
import pathlib

import numpy as np
import processes
import pytest


def _start(options, environment=None):
  """Starts a training of the stand-in task in another process."""
  log = pathlib.Path(options['output']).with_suffix('.log')
  log.unlink(missing_ok=True)
  return processes.Process(
    'loop_fakes', [json.dumps(options)], log, environment
  )


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
  _start(options('cut', signal_at=[15, 'SIGKILL'])).end_by_kill()
  assert not (tmp_path / 'cut.npz').exists()
  assert (tmp_path / 'cut' / 'ckpt-6.index').exists()
  output = _start(options('cut')).finish()
  assert 'Resumed from' in output
  whole.finish()
  _assert_same_state(tmp_path / 'whole.npz', tmp_path / 'cut.npz')


def _start_workers(tmp_path, name, of_second=None, **options):
  addresses = processes.free_addresses(2)
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
      {'TF_CONFIG': processes.tf_config(addresses, index)},
    )
    for index in range(2)
  ]


@pytest.mark.slow
def test_two_workers_train_are_killed_and_go_on(tmp_path):
  chief, other = _start_workers(
    tmp_path, 'run', only_worker=1, signal_at=[9, 'SIGKILL']
  )
  other.end_by_kill()
  *_, line = chief.finish(1).strip().splitlines()
  assert line.startswith('FATAL: Another worker of the run has ended')
  outputs = [worker.finish() for worker in _start_workers(tmp_path, 'run')]
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
    assert 'Ended by SIGTERM' in worker.finish()
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
    ) in worker.finish(1)
  assert not (tmp_path / 'run').exists()
