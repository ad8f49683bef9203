"""What every metric does: it takes frames one by one and returns scores."""

from collections.abc import Callable, Iterable, Mapping
from concurrent import futures
from typing import Any, Protocol, Self, TypeVar

from panoptic import maps

_Part = TypeVar('_Part')
_Metric = TypeVar('_Metric', bound='Metric')


class Metric(Protocol):
  """Scores predictions against ground truth, a frame or an image at a time."""

  def update(
    self,
    truth: maps.PanopticMap,
    prediction: maps.PanopticMap,
    sequence: str = '',
    name: Any = None,
  ) -> None:
    """Adds one frame; after an error nothing of it has been added.

    Args:
      truth: The ground truth.
      prediction: The map to be scored, of the same size.
      sequence: The video of the frame. Its frames come in order.
      name: Names the frame in errors; by default its place in the stream.

    Raises:
      ValueError: If the frame cannot be scored.
    """

  def merge(self, other: Self) -> None:
    """Adds the frames of another stream.

    Raises:
      ValueError: If the two score differently, or share a sequence.
    """

  def result(self) -> dict[str, float]:
    """Returns the scores by name, in percent."""

  def details(self) -> dict[str, Any]:
    """Returns all figures, from 0 to 1, in plain Python numbers."""


def check_same_settings(
  name: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> None:
  """Raises ValueError unless two metrics score in the same way.

  Args:
    name: The metric's name, for the error.
    ours: The settings of one metric by their names.
    theirs: The settings of the other one.
  """
  different = [key for key in ours if ours[key] != theirs[key]]
  if different:
    raise ValueError(
      f'two streams of {name} have different {" and ".join(different)}; build '
      'both alike'
    )


def score_parts(
  total: _Metric,
  score: Callable[[_Part], _Metric],
  parts: Iterable[_Part],
  workers: int,
) -> _Metric:
  """Scores parts in threads (decoding runs outside the interpreter's lock).

  Args:
    total: The metric that the parts are merged into, in their order, so that
      the figures are the same whatever the number of workers.
    score: Returns the metric of a part.
    parts: The parts.
    workers: The number of threads.

  Returns:
    `total`.
  """
  with futures.ThreadPoolExecutor(workers) as pool:
    try:
      for part in pool.map(score, parts):
        total.merge(part)
    except Exception:
      pool.shutdown(cancel_futures=True)  # Report now, not at the end.
      raise
  return total
