"""Programs set what TensorFlow reads, before they import it."""

import os
import pathlib
import subprocess
import sys

from panoptic.console import before_tensorflow

_ROOT = pathlib.Path(__file__).resolve().parents[3]
# Imports each program up to its first import of TensorFlow, which is stopped.
_CODE = """
import importlib, os, sys

class Stopped(BaseException):
  pass

class Finder:
  def find_spec(self, name, path=None, target=None):
    if name.partition('.')[0] in ('tensorflow', 'cv2'):
      raise Stopped

sys.meta_path.insert(0, Finder())
variables = (
  'TF_CPP_MIN_LOG_LEVEL', 'TF_USE_LEGACY_KERAS', 'TF_ENABLE_ONEDNN_OPTS'
)
ours = ('panoptic', 'configs', 'models', 'data', 'metrics', 'benchmarks')
for name in sys.argv[1:]:
  for variable in variables:
    os.environ.pop(variable, None)
  for module in list(sys.modules):
    if module.partition('.')[0] in ours:
      del sys.modules[module]
  try:
    importlib.import_module(name)
  except Stopped:
    pass
  print(name, *map(os.environ.get, variables))
"""


def _environment():
  return {k: v for k, v in os.environ.items() if k != 'TF_CPP_MIN_LOG_LEVEL'}


def test_every_program_sets_them_first():
  programs = [
    '.'.join(path.relative_to(_ROOT).with_suffix('').parts)
    for path in _ROOT.rglob('*.py')
    if 'app.run(' in path.read_text() and 'tests' not in path.parts
  ]
  assert {'main', 'data.prepare', 'benchmarks.plan'} <= set(programs)
  done = subprocess.run(
    [sys.executable, '-c', _CODE, *programs],
    cwd=_ROOT,
    env=_environment(),
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  assert done.stdout.splitlines() == [f'{name} 3 1 1' for name in programs]


def test_the_users_level_holds():
  code = (
    'import os; from panoptic.console import before_tensorflow; '
    'print(os.environ["TF_CPP_MIN_LOG_LEVEL"])'
  )
  for level in ('0', '2'):
    done = subprocess.run(
      [sys.executable, '-c', code],
      cwd=_ROOT,
      env={**os.environ, 'TF_CPP_MIN_LOG_LEVEL': level},
      capture_output=True,
      text=True,
    )
    assert done.stdout.strip() == level


def test_the_level_reaches_abseil():
  # Where this fails, TensorFlow is another release: `nm -D` on its library
  # gives the function's new name.
  assert 'tensorflow' in sys.modules and before_tensorflow.hush_absl()
