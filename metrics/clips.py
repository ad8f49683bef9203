"""Keeps count of the frames of clips, and refuses a frame that does not fit."""

from typing import Any, Optional

import numpy as np

from metrics import panoptic_quality


class Clips:
  """The sequences of a metric, their frames counted and checked.

  Attributes:
    frames: {sequence: number of frames so far}, in the order of arrival.
  """

  def __init__(self, max_frames: Optional[int] = None):
    """Starts with no sequence.

    Args:
      max_frames: of one sequence; None for any number.

    Raises:
      ValueError: no frame is allowed.
    """
    if max_frames is not None and max_frames < 1:
      raise ValueError(
        f'max_frames is {max_frames}; allow at least one frame, or None for '
        'any number'
      )
    self._max_frames = max_frames
    self._shapes = {}
    self.frames = {}

  def where(self, sequence: str, frame: Any = None) -> str:
    """Names the next frame of a sequence in errors."""
    number = self.frames.get(sequence, 0) if frame is None else frame
    return f'sequence {sequence}, frame {number}'

  def check(
    self,
    sequence: str,
    where: str,
    ground_truth: np.ndarray,
    prediction: Optional[np.ndarray],
  ) -> None:
    """Checks the next frame of a sequence; adds nothing.

    Args:
      sequence: its name.
      where: names the frame in errors.
      ground_truth: must be [h, w] integers.
      prediction: the same, or None where none is needed.

    Raises:
      ValueError: a map is not [h, w] integers, the sizes of the two maps or of
        two frames differ, or there are more frames than allowed.
    """
    frames = self.frames.get(sequence, 0)
    if self._max_frames is not None and frames >= self._max_frames:
      raise ValueError(
        f'{where}: a sequence may have {self._max_frames} frames, and this is '
        'one more; split the sequence or raise max_frames'
      )
    panoptic_quality.check_map(ground_truth, f'{where}, ground truth')
    shape = list(ground_truth.shape)
    if prediction is not None:
      panoptic_quality.check_map(prediction, f'{where}, prediction')
      if list(prediction.shape) != shape:
        raise ValueError(
          f'{where}: the ground truth is {shape} and the prediction '
          f'{list(prediction.shape)} pixels; resize the prediction to the '
          'ground truth'
        )
    if shape != self._shapes.get(sequence, shape):
      raise ValueError(
        f'{where} is {shape} and the frames before it '
        f'{self._shapes[sequence]} pixels; give all frames of a sequence one '
        'size'
      )

  def add(self, sequence: str, shape: tuple[int, ...]) -> None:
    """Counts a frame that has been checked."""
    self.frames[sequence] = self.frames.get(sequence, 0) + 1
    self._shapes[sequence] = list(shape)

  def merge(self, other: 'Clips') -> None:
    """Adds the sequences of another metric.

    Raises:
      ValueError: both have frames of one sequence.
    """
    shared = [sequence for sequence in other.frames if sequence in self.frames]
    if shared:
      raise ValueError(
        f'sequence {shared[0]} is in both metrics that are to be merged; '
        'score all frames of a sequence with one of them'
      )
    self.frames |= other.frames
    self._shapes |= other._shapes

  def check_any(self) -> None:
    """Raises ValueError if there is no frame at all."""
    if not self.frames:
      raise ValueError(
        'there are no frames to score; give at least one sequence of at least '
        'one frame'
      )
