"""Tubes, and what STQ and VPQ have in common.

A tube is the pixels of one category and one segment id in the frames of a
sequence. Of a frame, STQ and VPQ need only the number of pixels that each pair
of a true and a predicted tube shares; metrics that are combined count it once.
"""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from metrics import metric, overlaps, sequence_tracker
from panoptic import classes, maps, segment_table

_MAX_ID = 2**32 - 1


class SharedPixels(NamedTuple):
  """The pixels of pairs of tubes; int64 `[n]` each.

  The number of a tube is 2**32 c + i: c is its class, the position of its
  category plus one, and i its segment id. i is 0 for a crowd of things in the
  ground truth, and for stuff where its segments are merged.

  Attributes:
    truth: The true tubes.
    prediction: The predicted tubes.
    pixels: The number of pixels that the two share.
  """

  truth: np.ndarray
  prediction: np.ndarray
  pixels: np.ndarray


def classes_of(tubes: np.ndarray) -> np.ndarray:
  """The classes of tubes: positions of categories plus one, void 0."""
  return tubes >> 32


def has_id(tubes: np.ndarray) -> np.ndarray:
  """Whether tubes are segments with an id: bool."""
  return tubes & _MAX_ID > 0


class TubeMetric(metric.Metric, abc.ABC):
  """Scores a stream of frames by the pixels that their tubes share.

  Attributes:
    name: The metric's name, for errors.
    frame_settings: The settings that decide how a frame is counted.
  """

  name: str

  def __init__(
    self,
    categories: Sequence[classes.Category],
    merge_stuff: bool = False,
    max_frames: int | None = None,
  ):
    """Starts with no sequence.

    Args:
      categories: The categories that are scored.
      merge_stuff: Whether all segments of a category of stuff are one. Files
        may tell several apart, but a model's ids of stuff mean nothing.
      max_frames: The most frames of a sequence; None for any number.

    Raises:
      ValueError: If there are no categories, one id twice, or no frame is
        allowed.
    """
    self._positions = segment_table.category_positions(categories)
    # By class, void included.
    self._isthing = np.array([False, *(bool(c.isthing) for c in categories)])
    self._merge_stuff = merge_stuff
    self._tracker = sequence_tracker.SequenceTracker(max_frames)
    self.frame_settings = {
      'categories': [(c.id, bool(c.isthing)) for c in categories],
      'rules for stuff': merge_stuff,
    }
    self._settings: dict[str, Any] = dict(self.frame_settings)
    # What the metric keeps of each sequence.
    self._sequences: dict[str, Any] = {}

  def update(
    self,
    truth: maps.PanopticMap,
    prediction: maps.PanopticMap,
    sequence: str = '',
    name: Any = None,
  ) -> None:
    """Adds one frame, in order; after an error nothing of it has been added.

    Args:
      truth: The ground truth. Its crowds of things are regions without ids.
      prediction: The segments to be scored, in a map of the same size.
      sequence: The video of the frame; tubes do not leave it.
      name: Names the frame in errors; by default its place in the sequence.

    Raises:
      ValueError: See `count`.
    """
    self.add(truth, self.count(truth, prediction, sequence, name), sequence)

  def count(
    self,
    truth: maps.PanopticMap,
    prediction: maps.PanopticMap,
    sequence: str,
    name: Any = None,
  ) -> SharedPixels:
    """Checks the next frame and counts its pixels; adds nothing.

    Raises:
      ValueError: If a map is not integers `[h, w]`, sizes differ, there are
        more frames than allowed, an id is too large, or maps and lists of
        segments disagree (see `overlaps.count_overlaps`).
    """
    where = self._tracker.check(truth, prediction, sequence, name)
    found = overlaps.count_overlaps(truth, prediction, self._positions, where)
    rows, columns = np.nonzero(found.pixels)
    no_crowd = np.zeros_like(found.prediction.crowd)
    return SharedPixels(
      self._tubes(found.truth, found.truth.crowd, where)[rows],
      self._tubes(found.prediction, no_crowd, where)[columns],
      found.pixels[rows, columns].astype(np.int64),
    )

  def add(
    self, truth: maps.PanopticMap, shared: SharedPixels, sequence: str
  ) -> None:
    """Adds a frame that has been counted."""
    self._add(shared, sequence)
    self._tracker.add(truth, sequence)

  def merge(self, other: Self) -> None:
    """Adds the sequences of another stream.

    Raises:
      ValueError: If the two score differently, or share a sequence.
    """
    metric.check_same_settings(self.name, self._settings, other._settings)
    self._tracker.merge(other._tracker)
    self._sequences |= other._sequences

  @abc.abstractmethod
  def _add(self, shared: SharedPixels, sequence: str) -> None:
    """Adds the pixels of the next frame; cannot fail."""

  def _tubes(
    self, table: segment_table.SegmentTable, crowd: np.ndarray, where: str
  ) -> np.ndarray:
    """int64 `[n + 1]`: the tube of each segment, and of void."""
    if table.ids.min() < 0 or table.ids.max() > _MAX_ID:
      raise ValueError(
        f'{where}: segment ids run from {table.ids.min()} to '
        f'{table.ids.max()}, and tubes have ids from 1 to {_MAX_ID}; renumber '
        'the segments'
      )
    isthing = self._isthing[table.category + 1]
    without_id = np.where(isthing, crowd, self._merge_stuff)
    return (table.category + 1 << 32) + np.where(without_id, 0, table.ids)


class Several:
  """A metric of metrics that take the same frames, each counted once."""

  def __init__(self, parts: Mapping[str, TubeMetric]):
    """Starts with no sequence.

    Args:
      parts: The metrics by name, at least one.

    Raises:
      ValueError: If their categories or rules for stuff differ.
    """
    self._parts = dict(parts)
    self._first, *others = self._parts.values()
    for part in others:
      metric.check_same_settings(
        'frames', self._first.frame_settings, part.frame_settings
      )

  def update(
    self,
    truth: maps.PanopticMap,
    prediction: maps.PanopticMap,
    sequence: str = '',
    name: Any = None,
  ) -> None:
    """Adds one frame, in order; see `TubeMetric.update`."""
    shared = self._first.count(truth, prediction, sequence, name)
    for part in self._parts.values():
      part.add(truth, shared, sequence)

  def merge(self, other: 'Several') -> None:
    """Adds the sequences of another stream of the same metrics."""
    for name, part in self._parts.items():
      part.merge(other._parts[name])

  def result(self) -> dict[str, float]:
    """Returns the scores of all metrics, in percent."""
    scores: dict[str, float] = {}
    for part in self._parts.values():
      scores |= part.result()
    return scores

  def details(self) -> dict[str, Any]:
    """Returns the details of each metric by its name."""
    return {name: part.details() for name, part in self._parts.items()}
