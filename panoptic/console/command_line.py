"""Commands that end with one line, not a traceback, on an error of the user."""

import errno
import re
import sys
from typing import Callable, Sequence

from absl import app, flags, logging

from panoptic import files
from panoptic.console import before_tensorflow

# So --help lists the flags defined here as those of the program.
flags.disclaim_key_flags()

# Numbers of the errors of a full disk, a full quota, and a file too large.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SMALLER = (
  'take a smaller training.batch_size or evaluation.batch_size, or the same '
  'with a larger optimizer.accumulation_steps, training.recompute=true or '
  'training.precision=bfloat16'
)


class _PathParser(flags.ArgumentParser):
  """Parses the path of a file or folder."""

  syntactic_help = 'a path; a leading ~ is the home folder'

  def parse(self, argument):
    return argument and files.expand_home(argument)

  def flag_type(self):
    return 'path'


class _NamesParser(flags.ArgumentParser):
  """Parses names between commas, which may stand in brackets as in YAML."""

  syntactic_help = 'names between commas'

  def parse(self, argument):
    if not isinstance(argument, str):  # The default.
      return argument
    text = argument.strip()
    if text.startswith('[') and text.endswith(']'):
      text = text[1:-1]
    names = (name.strip() for name in text.split(','))
    return [name for name in names if name]

  def flag_type(self):
    return 'names'


class _PathsParser(_NamesParser):
  """Parses paths between commas."""

  syntactic_help = 'paths between commas; a leading ~ is the home folder'

  def parse(self, argument):
    paths = super().parse(argument)
    return paths and [files.expand_home(path) for path in paths]

  def flag_type(self):
    return 'paths'


def define_path(
  name: str, default: str | None, help: str, **options
) -> flags.FlagHolder:
  """Defines a flag that is a path, whose leading `~` is the home folder.

  Args:
    name: Name of the flag.
    default: Its value where it is not given.
    help: Its description.
    **options: As for `flags.DEFINE`, such as `required`.
  """
  return flags.DEFINE(
    _PathParser(),
    name,
    default,
    help,
    serializer=flags.ArgumentSerializer(),
    **options,
  )


def define_paths(name: str, help: str, **options) -> flags.FlagHolder:
  """As `define_path`, for a list of paths; None where it is not given."""
  return _define_list(_PathsParser(), name, help, **options)


def define_names(name: str, help: str, **options) -> flags.FlagHolder:
  """As `define_paths`, for names."""
  return _define_list(_NamesParser(), name, help, **options)


def _define_list(parser, name, help, **options) -> flags.FlagHolder:
  return flags.DEFINE(
    parser,
    name,
    None,
    help,
    serializer=flags.CsvListSerializer(','),
    **options,
  )


def run(
  argv: Sequence[str],
  command: Callable[[], None],
  prefix: str = 'FATAL',
  debug: bool = False,
) -> None:
  """Runs a command.

  Of absl's log, warnings are shown, and the rest where --verbosity asks for it.

  Args:
    argv: What absl leaves of the command line: the program's name.
    command: What to run.
    prefix: Begins the line of an error.
    debug: Whether to show the traceback of any error.

  Raises:
    app.UsageError: If something on the command line is not a flag.
    SystemExit: If the user can correct the error; holds one line.
  """
  if len(argv) > 1:
    raise app.UsageError(f'Not a flag: {argv[1]!r}.')
  if not flags.FLAGS['verbosity'].present:
    logging.set_verbosity(logging.WARNING)
    before_tensorflow.hush_absl()
  try:
    command()
  except Exception as error:
    line = None if debug else explain(error)
    if line is None:
      raise
    sys.exit(f'{prefix}: {line}')


def explain(error: Exception) -> str | None:
  """Returns the line for an error that the user can correct, else None."""
  tensorflow = sys.modules.get('tensorflow')  # Not all commands need it.
  if tensorflow and isinstance(error, tensorflow.errors.OpError):
    return _explain_op(error, tensorflow.errors)
  if isinstance(error, MemoryError):
    return f'The memory of this machine is full: {_SMALLER}.'
  if isinstance(error, OSError) and error.errno in _FULL:
    return _explain_full(error.filename, error.strerror)
  if not isinstance(error, (ValueError, KeyError, FloatingPointError, OSError)):
    return None
  # str() of a KeyError is its repr.
  message = error.args[0] if isinstance(error, KeyError) else str(error)
  # The project's own messages are one line; others need their traceback.
  return None if not message or '\n' in message.strip() else message


def _explain_full(path: str | None, reason: str | None) -> str:
  """Returns the line for a disk that takes no more of a file."""
  return (
    f'{path or "A file"} cannot be written: {reason}; make room, or use '
    'another folder. What was written before is whole, and a run goes on from '
    'its last checkpoint.'
  )


def _explain_op(error, errors) -> str | None:
  """Returns the line for an error of a TensorFlow op, or None.

  It is of a file, of the memory, or of another worker.
  """
  message = error.message
  full = re.search(
    r'(\S+); (No space left on device|Disk quota exceeded|File too large)',
    message,
  )
  if full:
    return _explain_full(full[1], full[2])
  if isinstance(error, errors.ResourceExhaustedError) or re.search(
    r'out of memory|OUT_OF_MEMORY|RESOURCE_EXHAUSTED', message
  ):
    return f'The memory of the device is full: {_SMALLER}.'
  lost = (errors.UnavailableError, errors.AbortedError, errors.InternalError)
  if isinstance(error, lost) and re.search(
    r'[Cc]ollective|unhealthy|heartbeat|[Ss]ocket closed|failed to connect|'
    r'Connection re(set|fused)',
    message,
  ):
    return (
      'Another worker of the run has ended, or does not answer: start all '
      'workers again; they go on from the last checkpoint.'
    )
  if isinstance(error, errors.InvalidArgumentError):
    # The assertion of an input pipeline stands in brackets: "[path: reason]".
    found = re.search(r'assertion failed: \[(.*?)\]', message)
    if found:
      return found[1]
    # The decoders do not name the file.
    damaged = re.search(
      r'jpeg::Uncompress failed|Invalid (PNG|JPEG) data', message
    )
    if damaged:
      return (
        f'A file of the data is damaged ({damaged[0]}): "python -m data.check '
        '--all --dir=..." on their folder names it; fetch it again.'
      )
  if isinstance(error, (errors.NotFoundError, errors.PermissionDeniedError)):
    # The message has "path; reason".
    found = re.search(
      r'(\S+); (No such file or directory|Permission denied)', message
    )
    if found:
      fix = 'put it back'
      if isinstance(error, errors.PermissionDeniedError):
        fix = 'change its permissions, or use another folder'
      return f'{found[1]} cannot be used: {found[2]}; {fix}.'
  return None
