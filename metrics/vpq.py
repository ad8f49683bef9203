"""Video panoptic quality (VPQ): panoptic quality of windows of frames.

Kim et al., "Video Panoptic Segmentation", arXiv:2006.11339, section 4: every k
consecutive frames of a sequence are taken as one image, whose segments are the
tubes; k = 1 .. 4, and VPQ is the mean over k. Counts are summed over windows
and sequences before they are divided.

Two public evaluations differ in what the ground truth's crowd (instance 0 of a
thing) is. Of the COCO rules, and so of VPSNet's, it is a region that excuses
predictions; of DeepLab2 an ordinary segment. Both are here.
"""

import collections
from typing import Any, Optional, Sequence

import numpy as np

from metrics import clips, segment_matching, tubes


class VideoPanopticQuality:
  """VPQ of a stream of frames.

  Of the past, only the shared pixels of the last few frames' tubes are kept.
  """

  def __init__(
    self,
    space: tubes.LabelSpace,
    window_lengths: Sequence[int] = (1, 2, 3, 4),
    crowd_is_segment: bool = False,
    max_frames: Optional[int] = None,
  ):
    """Starts with no sequence.

    Args:
      space: what the labels mean.
      window_lengths: the values of k, in frames.
      crowd_is_segment: score crowd as DeepLab2 does, not as COCO.
      max_frames: allowed in one sequence; None for any number.

    Raises:
      ValueError: the numbers of `space` do not fit, a window is empty or given
        twice, or no frame is allowed.
    """
    space.check()
    if (
      not window_lengths
      or min(window_lengths) < 1
      or len(set(window_lengths)) < len(window_lengths)
    ):
      raise ValueError(
        f'window lengths {list(window_lengths)} cannot be scored; give '
        'different numbers of frames, each at least 1'
      )
    self._space = space
    self._crowd_is_segment = crowd_is_segment
    self._clips = clips.Clips(max_frames)
    self._counts = {
      k: segment_matching.MatchCounts(space.num_classes) for k in window_lengths
    }
    self._windows = {}  # {sequence: the overlaps of its last frames}

  def update(
    self,
    ground_truth: np.ndarray,
    prediction: np.ndarray,
    sequence: str,
    frame: Any = None,
  ) -> None:
    """Adds one frame, in order; after an error nothing of it has been added.

    Args:
      ground_truth: integers [h, w], labels class * label_divisor + instance.
      prediction: the same.
      sequence: whose frame it is. No window spans two sequences.
      frame: names the frame in errors; by default its place in the sequence.

    Raises:
      ValueError: a map is not [h, w] integers, sizes differ, there are more
        frames than allowed, or a class is unknown.
    """
    where = self._clips.where(sequence, frame)
    ground_truth, prediction = np.asarray(ground_truth), np.asarray(prediction)
    self._clips.check(sequence, where, ground_truth, prediction)
    found = tubes.count_overlaps(ground_truth, prediction, self._space, where)
    window = self._windows.setdefault(
      sequence, collections.deque(maxlen=max(self._counts))
    )
    window.appendleft(found)
    for k, counts in self._counts.items():
      if k <= len(window):
        self._add(counts, tubes.sum_overlaps(list(window)[:k]))
    self._clips.add(sequence, ground_truth.shape)

  def merge(self, other: 'VideoPanopticQuality') -> None:
    """Adds the sequences of another stream.

    Raises:
      ValueError: the two score differently, or a sequence is in both.
    """
    if (self._space, self._crowd_is_segment, self._counts.keys()) != (
      other._space,
      other._crowd_is_segment,
      other._counts.keys(),
    ):
      raise ValueError(
        'two streams of VPQ have different labels, windows or rules for '
        'crowd; build both alike'
      )
    self._clips.merge(other._clips)
    self._windows |= other._windows
    for k, counts in self._counts.items():
      counts.merge(other._counts[k])

  def result(self) -> dict[str, Any]:
    """Returns the figures so far, in plain Python numbers.

    Returns:
      `VPQ`: {All, Things, Stuff}, means over k in 0..1; `per_length`: {k: as
      `PanopticQuality.result`}. A sequence shorter than k has no window of k.

    Raises:
      ValueError: there are no frames.
    """
    self._clips.check_any()
    classes = range(self._space.num_classes)
    isthing = np.isin(classes, self._space.things)
    rows = {
      k: counts.result(classes, isthing) for k, counts in self._counts.items()
    }
    means = {
      group: float(np.mean([row[group]['pq'] for row in rows.values()]))
      for group in ('All', 'Things', 'Stuff')
    }
    return {'VPQ': means, 'per_length': rows}

  def _add(
    self, counts: segment_matching.MatchCounts, overlaps: tubes.Overlaps
  ) -> None:
    divisor, void = self._space.label_divisor, self._space.void
    sides = []
    for labels in overlaps[:2]:
      # Void comes first, whether or not a pixel has it.
      ids, row = np.unique(
        np.append(labels, void * divisor), return_inverse=True
      )
      first = row[-1]
      row = np.where(row == first, 0, row + (row < first))[:-1]
      ids = np.append(ids[first], np.delete(ids, first))
      category = ids // divisor
      category[0] = -1
      sides.append((row, ids, category))
    (gt_row, gt_ids, gt_category), (pred_row, pred_ids, pred_category) = sides
    shape = len(gt_ids), len(pred_ids)
    overlap = np.bincount(
      gt_row * shape[1] + pred_row, overlaps.pixels, shape[0] * shape[1]
    ).reshape(shape)
    crowd = np.isin(gt_category, self._space.things) & (gt_ids % divisor == 0)
    if self._crowd_is_segment:
      crowd[:] = False
    counts.add(overlap, gt_category, pred_category, crowd)
