"""What every metric does: it takes frames one by one and returns scores."""

from collections.abc import Mapping
from typing import Any, Protocol, Self

from panoptic import maps


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
