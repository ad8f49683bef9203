"""A lock on a run's folder, so that one process at a time trains there."""

import contextlib
import dataclasses
import json
import os
import socket
import threading
import time
import uuid
from typing import Any

from panoptic import files
from training import log

FILE = 'run.lock'


@dataclasses.dataclass(frozen=True)
class Times:
  """Lengths of time in seconds.

  Attributes:
    beat: Between signs of life of the process that holds a lock.
    patience: Without a sign of life, after which it counts as dead.
    poll: Between looks at the lock of another.
    settle: Until a process that takes the lock sees whether another did.
  """

  beat: float = 30.0
  patience: float = 90.0
  poll: float = 1.0
  settle: float = 0.05


class RunLock:
  """Holds a folder while the context is entered.

  `run.lock` names the holder, whose thread changes it from time to time. On the
  same machine the lock of a dead process is free at once; of a process of
  another machine it is known only by the signs of life that it gives.
  """

  def __init__(self, model_dir: str, times: Times | None = None):
    """Takes nothing yet.

    Args:
      model_dir: Folder of the run, made if need be.
      times: Shorter ones for tests.
    """
    self._model_dir = model_dir
    self._path = os.path.join(model_dir, FILE)
    self._times = times or Times()
    self._own = {
      'host': socket.gethostname(),
      'machine': _machine(),
      'pid': os.getpid(),
      'process_start': _process_start(os.getpid()),
      'time': time.strftime('%Y-%m-%d %H:%M:%S'),
      'token': uuid.uuid4().hex,
    }
    self._lost: ValueError | None = None
    self._ended = threading.Event()
    self._beating: threading.Thread | None = None

  def __enter__(self):
    """Takes the lock.

    Raises:
      ValueError: If a living process holds it; names host and process.
    """
    files.make_folders(self._model_dir)
    holder = self._read()
    if holder is not None and not self._is_dead(holder):
      raise self._refusal(holder)
    self._write(0)
    time.sleep(self._times.settle)
    self._look()
    self.check()
    self._beating = threading.Thread(target=self._beat, daemon=True)
    self._beating.start()
    return self

  def __exit__(self, *_):
    self._ended.set()
    if self._beating is not None:
      self._beating.join()
    holder = self._read()
    if holder is not None and holder.get('token') == self._own['token']:
      files.remove(self._path)

  def check(self) -> None:
    """Raises ValueError if another process was seen to have taken the lock."""
    if self._lost is not None:
      raise self._lost

  def _look(self) -> None:
    holder = self._read()
    if holder is not None and holder.get('token') != self._own['token']:
      self._lost = self._refusal(holder)

  def _beat(self) -> None:
    count = 0
    while self._lost is None and not self._ended.wait(self._times.beat):
      count += 1
      # A disk that is full or away for a moment must not end the training.
      with contextlib.suppress(Exception):
        self._look()
        if self._lost is None:
          self._write(count)

  def _write(self, beat: int) -> None:
    files.write_text(self._path, json.dumps({**self._own, 'beat': beat}))

  def _read(self) -> dict[str, Any] | None:
    """The holder as the file names it; None if there is none."""
    try:
      holder = json.loads(files.read_bytes(self._path))
    except (OSError, ValueError):
      return None
    return holder if isinstance(holder, dict) else None

  def _is_dead(self, holder: dict[str, Any]) -> bool:
    if holder.get('machine') == self._own['machine']:
      start = _process_start(holder['pid'])
      return start is None or start != holder.get('process_start')
    times = self._times
    log.log(
      f'{self._path} is of {_name(holder)}: waiting up to '
      f'{times.patience:g} s for a sign of life.'
    )
    end = time.monotonic() + times.patience
    while time.monotonic() < end:
      time.sleep(times.poll)
      now = self._read()
      if now is None:
        return True
      if now != holder:
        return False
    log.log(f'{_name(holder)} is gone; its run goes on here.'.capitalize())
    return True

  def _refusal(self, holder: dict[str, Any]) -> ValueError:
    return ValueError(
      f'{_name(holder)} trains in {self._model_dir} since {holder.get("time")}'
      ': wait for its end or stop it, or choose another --model_dir.'
    )


def _name(holder: dict[str, Any]) -> str:
  return f'process {holder.get("pid")} on {holder.get("host")}'


def _machine() -> str:
  """A name of this machine, and of the container, whose processes we see."""
  parts = [socket.gethostname()]
  with contextlib.suppress(OSError):
    with open('/proc/sys/kernel/random/boot_id', encoding='utf-8') as file:
      parts.append(file.read().strip())
    parts.append(os.readlink('/proc/self/ns/pid'))
  return ' '.join(parts)


def _process_start(pid: int) -> str | None:
  """When a process of this machine was started; None if there is no such."""
  try:
    with open(f'/proc/{pid}/stat', encoding='utf-8', errors='replace') as file:
      # After the name, which is in parentheses, the state is the first field.
      fields = file.read().rpartition(')')[2].split()
    return None if fields[0] in 'ZX' else fields[19]
  except (OSError, IndexError):
    pass
  if os.path.isdir('/proc/self'):
    return None
  try:  # Another system than Linux.
    os.kill(pid, 0)
  except ProcessLookupError:
    return None
  except OSError:
    pass
  return ''
