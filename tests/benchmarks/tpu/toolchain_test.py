"""Tests of the memory of a check, with processes that are not started."""

import json

import pytest

from benchmarks.tpu import programs, toolchain
from configs import loading


@pytest.fixture
def started(monkeypatch):
  """Command lines of processes; an export writes its file."""
  lines = []

  class Run:
    returncode, stderr = 0, ''
    stdout = json.dumps({'stage': 'schedule', 'temporary_bytes': 2**30})

  def run(command, **_):
    lines.append(command)
    options = dict(
      part.removeprefix('--').split('=', 1)
      for part in command
      if part.startswith('--')
    )
    if 'benchmarks.tpu.export' in command:
      config = loading.load(options['of'], '', options['params_override'])
      name = programs.file_name(options['of'], options['program'], config)
      with open(f'{options["folder"]}/{name}.hlo', 'w') as file:
        file.write('program')
    return Run

  monkeypatch.setattr(toolchain.subprocess, 'run', run)
  return lines


def _results(tmp_path, chips, override='training.recompute=true'):
  tools = toolchain.Toolchain(str(tmp_path), 'site', 'python', 'schedule')
  return tools.results('shapes', 'train', override, chips)


def test_a_program_is_exported_and_compiled_once(started, tmp_path):
  found = _results(tmp_path, ['v4', 'v5e'])
  assert [toolchain.cell(found[chip]) for chip in ('v4', 'v5e')] == ['1.00'] * 2
  assert len(started) == 3
  # Another call remembers, and adds what is new.
  assert _results(tmp_path, ['v4', 'v5e']) == found
  assert len(started) == 3
  _results(tmp_path, ['v4', 'v6e'])
  assert len(started) == 5
  # With other fields it is another program.
  _results(tmp_path, ['v4'], 'training.recompute=true,model.bits=7')
  assert len(started) == 7
  assert not list(tmp_path.glob('*.hlo'))


def test_what_went_wrong_is_in_the_table(started, tmp_path, monkeypatch):
  class Failed:
    returncode, stdout, stderr = 1, '', 'Traceback\nValueError: no kernel'

  monkeypatch.setattr(toolchain.subprocess, 'run', lambda *_, **__: Failed)
  found = _results(tmp_path, ['v4'])
  assert toolchain.cell(found['v4']) == 'ValueError: no kernel'


def test_an_error_is_not_remembered(started, tmp_path, monkeypatch):
  run = toolchain.subprocess.run
  with monkeypatch.context() as broken:
    failed = type('Failed', (), dict(returncode=1, stderr='no package'))
    broken.setattr(toolchain.subprocess, 'run', lambda *_, **__: failed)
    assert 'error' in _results(tmp_path, ['v4'])['v4']
  assert toolchain.subprocess.run is run
  assert toolchain.cell(_results(tmp_path, ['v4'])['v4']) == '1.00'
