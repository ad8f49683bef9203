"""Programs in processes of their own, which tests start and kill.

To import TensorFlow takes seconds. A server imports it once, before it starts,
and each process is a fork of that: otherwise as new as one from a shell.
"""

import importlib
import json
import multiprocessing
import os
import pathlib
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver

_SECONDS = 500  # A process that takes longer hangs.


class Process:
  """A module's `start(arguments)`, as a program."""

  def __init__(
    self,
    module: str,
    arguments: Sequence[str],
    log: pathlib.Path,
    environment: Mapping[str, str] | None = None,
  ):
    """Starts it.

    Args:
      module: The module's name.
      arguments: What would follow the program's name on a command line.
      log: The file that gets its output and errors.
      environment: Variables beside those of this process.
    """
    self._log = log
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['main'])
    _start_server()
    self._process = context.Process(
      target=_run,
      args=(
        module,
        list(arguments),
        str(log),
        {**os.environ, **(environment or {})},
      ),
    )
    self._process.start()

  def finish(self, returncode: int = 0) -> str:
    """Waits for its end, of this status; returns what it has said."""
    self._process.join(_SECONDS)
    if self._process.exitcode is None:
      self._process.kill()
    said = self._log.read_text()
    assert self._process.exitcode == returncode, said
    return said

  def end_by_kill(self) -> None:
    """Waits until it kills itself."""
    self.finish(-signal.SIGKILL)


def free_addresses(count: int) -> list[str]:
  """Addresses of this machine at which nothing listens."""
  sockets = [socket.socket() for _ in range(count)]
  for item in sockets:
    item.bind(('localhost', 0))
  addresses = [f'localhost:{item.getsockname()[1]}' for item in sockets]
  for item in sockets:
    item.close()
  return addresses


def tf_config(addresses: Sequence[str], index: int) -> str:
  """TF_CONFIG of one of the workers."""
  worker = {'type': 'worker', 'index': index}
  return json.dumps({'cluster': {'worker': list(addresses)}, 'task': worker})


def _start_server():
  """Starts it, if it is not there, with the modules that tests can import."""
  kept = os.environ.get('PYTHONPATH')
  os.environ['PYTHONPATH'] = os.pathsep.join(filter(None, sys.path))
  try:
    forkserver.ensure_running()
  finally:
    if kept is None:
      del os.environ['PYTHONPATH']
    else:
      os.environ['PYTHONPATH'] = kept


def _run(module, arguments, log, environment):
  os.environ.clear()
  os.environ.update(environment)
  output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
  os.dup2(output, sys.stdout.fileno())
  os.dup2(output, sys.stderr.fileno())
  importlib.import_module(module).start(arguments)
