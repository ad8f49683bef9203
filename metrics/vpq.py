"""Video panoptic quality (VPQ): panoptic quality of windows of frames.

Kim et al., "Video Panoptic Segmentation", arXiv:2006.11339, section 4: every k
consecutive frames of a sequence are taken as one image, whose segments are the
tubes; k = 1 .. 4, and VPQ is the mean over k. Counts are summed over windows
and sequences before they are divided.

Two public evaluations differ in the ground truth's crowds of things. By the
COCO rules, and so VPSNet's, a crowd is a region that excuses predictions; by
DeepLab2's it is an ordinary segment. Both are here.
"""

import collections
from collections.abc import Sequence
from typing import Any

import numpy as np

from metrics import pq_stat, tube_metric
from panoptic import classes


class VideoPanopticQuality(tube_metric.TubeMetric):
  """VPQ of a stream of frames.

  Of the past, only the shared pixels of the last few frames' tubes are kept.
  """

  name = 'VPQ'

  def __init__(
    self,
    categories: Sequence[classes.Category],
    window_lengths: Sequence[int] = (1, 2, 3, 4),
    crowd_is_segment: bool = False,
    merge_stuff: bool = False,
    max_frames: int | None = None,
  ):
    """Starts with no sequence.

    Args:
      categories: As for `TubeMetric`.
      window_lengths: The values of k, in frames.
      crowd_is_segment: Whether crowd is scored by DeepLab2's rule, not COCO's.
      merge_stuff: As for `TubeMetric`.
      max_frames: As for `TubeMetric`.

    Raises:
      ValueError: If a window is empty or given twice, or as for `TubeMetric`.
    """
    super().__init__(categories, merge_stuff, max_frames)
    if (
      not window_lengths
      or min(window_lengths) < 1
      or len(set(window_lengths)) < len(window_lengths)
    ):
      raise ValueError(
        f'window lengths {list(window_lengths)} cannot be scored; give '
        'different numbers of frames, each at least 1'
      )
    self._settings |= {
      'windows': list(window_lengths),
      'rules for crowd': crowd_is_segment,
    }
    self._crowd_is_segment = crowd_is_segment
    self._stats = {k: pq_stat.PQStat(categories) for k in window_lengths}

  def result(self) -> dict[str, float]:
    """Returns VPQ, VPQ_things, VPQ_stuff and VPQ_k by k, in percent."""
    details = self.details()
    scores = {
      f'VPQ{suffix}': 100 * details['VPQ'][group]
      for group, suffix in pq_stat.GROUPS.items()
    }
    for k, row in details['per_length'].items():
      scores[f'VPQ_{k}'] = 100 * row['All']['pq']
    return scores

  def details(self) -> dict[str, Any]:
    """Returns the figures so far, in plain Python numbers.

    Returns:
      `VPQ`: {All, Things, Stuff}, means over k in 0..1; `per_length`: {k: as
      `PQStat.details`}. A sequence shorter than k has no window of k.

    Raises:
      ValueError: If there are no frames.
    """
    self._tracker.check_any()
    rows = {k: stat.details() for k, stat in self._stats.items()}
    means = {
      group: float(np.mean([row[group]['pq'] for row in rows.values()]))
      for group in pq_stat.GROUPS
    }
    return {'VPQ': means, 'per_length': rows}

  def merge(self, other: 'VideoPanopticQuality') -> None:
    """Adds the sequences of another stream; see `TubeMetric.merge`."""
    super().merge(other)
    for k, stat in self._stats.items():
      stat.merge(other._stats[k])

  def _add(self, shared: tube_metric.SharedPixels, sequence: str) -> None:
    window = self._sequences.setdefault(  # The last frames.
      sequence, collections.deque(maxlen=max(self._stats))
    )
    window.appendleft(shared)
    for k, stat in self._stats.items():
      if k <= len(window):
        self._add_window(stat, list(window)[:k])

  def _add_window(
    self, stat: pq_stat.PQStat, frames: list[tube_metric.SharedPixels]
  ) -> None:
    truth, prediction, pixels = map(np.concatenate, zip(*frames, strict=True))
    # Void is the lowest tube, and comes first whether or not a pixel has it.
    truth, g = np.unique(np.append(truth, 0), return_inverse=True)
    prediction, p = np.unique(np.append(prediction, 0), return_inverse=True)
    shape = len(truth), len(prediction)
    pairs = g[:-1] * shape[1] + p[:-1]
    overlap = np.bincount(pairs, pixels, shape[0] * shape[1]).reshape(shape)
    crowd = self._isthing[tube_metric.classes_of(truth)]
    crowd &= ~tube_metric.has_id(truth) & ~np.bool_(self._crowd_is_segment)
    stat.add(
      overlap,
      tube_metric.classes_of(truth) - 1,
      tube_metric.classes_of(prediction) - 1,
      crowd,
    )
