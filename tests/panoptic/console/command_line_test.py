import pathlib
import re
import subprocess
import sys

import pytest
import tensorflow as tf
from absl import app, flags, logging
from absl.testing import flagsaver

from panoptic.console import command_line


def _run(error, **options):
  def command():
    raise error

  command_line.run(['program'], command, **options)


@pytest.mark.parametrize(
  ('error', 'line'),
  [
    (ValueError('x is 1; it must be 2.'), 'FATAL: x is 1; it must be 2.'),
    (KeyError('no class 3'), 'FATAL: no class 3'),
    (FileNotFoundError('a.png is missing'), 'FATAL: a.png is missing'),
    (
      tf.errors.InvalidArgumentError(
        None, None, 'x\nassertion failed: [a.png: it is gray] [y]'
      ),
      'FATAL: a.png: it is gray',
    ),
    (
      tf.errors.InvalidArgumentError(None, None, 'Invalid PNG data, size 5'),
      'FATAL: A file of the data is damaged (Invalid PNG data): ',
    ),
    (
      tf.errors.NotFoundError(None, None, 'a/b.jpg; No such file or directory'),
      'FATAL: a/b.jpg cannot be used: No such file or directory; put it back.',
    ),
    (
      tf.errors.PermissionDeniedError(None, None, 'a/b; Permission denied'),
      'FATAL: a/b cannot be used: Permission denied; change its permissions',
    ),
    (
      OSError(28, 'No space left on device', 'a/b.yaml'),
      'FATAL: a/b.yaml cannot be written: No space left on device; make room',
    ),
    (
      tf.errors.ResourceExhaustedError(
        None, None, 'run/ckpt-4_temp/part-0; No space left on device [Op:Save]'
      ),
      'FATAL: run/ckpt-4_temp/part-0 cannot be written: No space left on',
    ),
    (
      tf.errors.OutOfRangeError(None, None, 'run/a; File too large'),
      'FATAL: run/a cannot be written: File too large; make room',
    ),
    (
      tf.errors.ResourceExhaustedError(
        None, None, 'Graph execution error:\nOOM when allocating tensor with'
      ),
      'FATAL: The memory of the device is full: take a smaller training.batch',
    ),
    (
      tf.errors.InternalError(None, None, 'CUDA_ERROR_OUT_OF_MEMORY: out of'),
      'FATAL: The memory of the device is full: take a smaller training.batch',
    ),
    (MemoryError(), 'FATAL: The memory of this machine is full: take a small'),
    (
      tf.errors.UnavailableError(
        None, None, 'Collective ops is aborted by: ...\nunhealthy'
      ),
      'FATAL: Another worker of the run has ended, or does not answer: start',
    ),
  ],
)
def test_an_error_of_the_user_is_one_line(error, line):
  with pytest.raises(SystemExit) as ended:
    _run(error)
  assert str(ended.value).startswith(line)
  assert '\n' not in str(ended.value)
  with pytest.raises(type(error)):
    _run(error, debug=True)


@pytest.mark.parametrize(
  'error',
  [
    TypeError('a bug'),
    ValueError('of a library\nover two lines'),
    ValueError(''),
    tf.errors.InvalidArgumentError(None, None, 'shapes differ'),
    tf.errors.InternalError(None, None, 'a bug'),
  ],
)
def test_other_errors_keep_their_traceback(error):
  with pytest.raises(type(error)):
    _run(error)


def test_words_that_are_no_flags_are_refused():
  with pytest.raises(app.UsageError, match="'steps=3'"):
    command_line.run(['program', 'steps=3'], lambda: None)


def test_a_path_may_begin_with_the_home_folder(monkeypatch):
  monkeypatch.setenv('HOME', '/home/of/me')
  values = flags.FlagValues()
  command_line.define_path(
    'folder', '~/default', 'A folder.', flag_values=values
  )
  values(['program'])
  assert values.folder == '/home/of/me/default'
  for given, path in (
    ('~/x', '/home/of/me/x'),
    ('~', '/home/of/me'),
    ('./~/x', './~/x'),
    ('gs://bucket/~/x', 'gs://bucket/~/x'),
    ('', ''),
  ):
    values(['program', f'--folder={given}'])
    assert values.folder == path
  with pytest.raises(flags.IllegalFlagValueError, match='no such user'):
    values(['program', '--folder=~nobody_x/y'])


def test_a_list_of_paths(monkeypatch):
  monkeypatch.setenv('HOME', '/home/of/me')
  values = flags.FlagValues()
  command_line.define_paths('weights', 'Files.', flag_values=values)
  values(['program'])
  assert values.weights is None
  for given, paths in (
    ('~/a', ['/home/of/me/a']),
    ('a, ~/b,gs://c', ['a', '/home/of/me/b', 'gs://c']),
    ('[a,b]', ['a', 'b']),
    ('', []),
    ('[]', []),
  ):
    values(['program', f'--weights={given}'])
    assert values.weights == paths
  with pytest.raises(flags.IllegalFlagValueError, match='no such user'):
    values(['program', '--weights=a,~nobody_x/y'])


def test_a_list_of_names():
  values = flags.FlagValues()
  command_line.define_names('ids', 'Images.', flag_values=values)
  values(['program', '--ids=[139, ~a.jpg]'])
  assert values.ids == ['139', '~a.jpg']


def test_absl_shows_warnings_unless_more_is_asked_for():
  for argument, level in (
    ('', -1),
    ('--verbosity=0', 0),
    ('--verbosity=-2', -2),
  ):
    with flagsaver.flagsaver():
      flags.FLAGS(['program', *([argument] if argument else [])])
      command_line.run(['program'], lambda: None)
      assert logging.get_verbosity() == level


def test_all_flags_that_are_paths_are_defined_so():
  root = pathlib.Path(__file__).resolve().parents[3]
  paths = re.compile(
    r"DEFINE_\w+\(\s*'\w*(dir|folder|file|json|input|output|checkpoint|"
    r"list|instances|sequences|compiler)'"
  )
  for path in root.rglob('*.py'):
    if 'tests' not in path.parts:
      assert not paths.search(path.read_text()), path


def test_tensorflow_is_not_imported():
  code = (
    'import sys; from panoptic.console import command_line; '
    'assert "tensorflow" not in sys.modules; '
    'command_line.run(["x"], lambda: int("a"), prefix="error")'
  )
  done = subprocess.run(
    [sys.executable, '-c', code], capture_output=True, text=True
  )
  assert done.returncode == 1
  assert done.stderr.startswith('error: invalid literal for int()')
