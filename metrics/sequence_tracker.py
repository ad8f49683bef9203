"""Counts the frames of sequences, and refuses a frame that does not fit."""

from typing import Any

from metrics import overlaps
from panoptic import maps


class SequenceTracker:
  """The sequences that a metric has seen.

  Attributes:
    frames: The number of frames so far by sequence, in the order of arrival.
  """

  def __init__(self, max_frames: int | None = None):
    """Starts with no sequence.

    Args:
      max_frames: The most frames of a sequence; None for any number.

    Raises:
      ValueError: If no frame is allowed.
    """
    if max_frames is not None and max_frames < 1:
      raise ValueError(
        f'max_frames is {max_frames}; allow at least one frame, or None for '
        'any number'
      )
    self._max_frames = max_frames
    self._sizes: dict[str, list[int]] = {}
    self.frames: dict[str, int] = {}

  def check(
    self,
    truth: maps.PanopticMap,
    prediction: maps.PanopticMap | None,
    sequence: str,
    name: Any = None,
  ) -> str:
    """Checks the next frame of a sequence; adds nothing.

    Args:
      truth: The ground truth.
      prediction: The prediction; None where none is needed.
      sequence: The name of the sequence.
      name: Names the frame in errors; by default its place in the sequence.

    Returns:
      The frame's name for further errors.

    Raises:
      ValueError: If a map is not integers `[h, w]`, the sizes of the two maps
        or of two frames differ, or there are more frames than allowed.
    """
    frames = self.frames.get(sequence, 0)
    where = f'sequence {sequence}, frame {frames if name is None else name}'
    if self._max_frames is not None and frames >= self._max_frames:
      raise ValueError(
        f'{where}: a sequence may have {self._max_frames} frames, and this is '
        'one more; split the sequence or raise max_frames'
      )
    overlaps.check_maps(truth, prediction, where)
    size = list(truth.segment_ids.shape)
    if size != self._sizes.get(sequence, size):
      raise ValueError(
        f'{where} is {size} and the frames before it {self._sizes[sequence]} '
        'pixels; give all frames of a sequence one size'
      )
    return where

  def add(self, truth: maps.PanopticMap, sequence: str) -> None:
    """Counts a frame that has been checked."""
    self.frames[sequence] = self.frames.get(sequence, 0) + 1
    self._sizes[sequence] = list(truth.segment_ids.shape)

  def merge(self, other: 'SequenceTracker') -> None:
    """Adds the sequences of another metric.

    Raises:
      ValueError: If both have frames of one sequence.
    """
    shared = [sequence for sequence in other.frames if sequence in self.frames]
    if shared:
      raise ValueError(
        f'sequence {shared[0]} is in both metrics that are to be merged; '
        'score all frames of a sequence with one of them'
      )
    self.frames |= other.frames
    self._sizes |= other._sizes

  def check_any(self) -> None:
    """Raises ValueError if there is no frame at all."""
    if not self.frames:
      raise ValueError(
        'there are no frames to score; give at least one sequence of at least '
        'one frame'
      )
