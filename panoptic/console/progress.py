"""The progress of a long task: its pace, and durations as text."""

import time


def duration(seconds: float) -> str:
  """Returns a readable length of time: '45s', '3m05s', '7h30m', '2d04h'."""
  total = int(round(seconds))
  minutes, hours, days = total // 60, total // 3600, total // 86400
  if days:
    return f'{days}d{hours % 24:02d}h'
  if hours:
    return f'{hours}h{minutes % 60:02d}m'
  if minutes:
    return f'{minutes}m{total % 60:02d}s'
  return f'{total}s'


class Pace:
  """The speed of a work of equal steps.

  The first step also compiles, and counts neither for the speed nor for the
  time left.
  """

  def __init__(self) -> None:
    """Starts before the first step."""
    self._done = 0
    self._start = 0.0

  def step(self) -> None:
    """Tells that a step is done."""
    self._done += 1
    if self._done == 1:
      self._start = time.monotonic()

  def seconds_a_step(self) -> float | None:
    """Mean time of a step so far; None before the second is done."""
    if self._done < 2:
      return None
    return (time.monotonic() - self._start) / (self._done - 1)
