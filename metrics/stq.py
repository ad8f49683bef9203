"""Segmentation and tracking quality (STQ), with its two factors.

Weber et al., "STEP: Segmenting and Tracking Every Pixel", arXiv:2102.11859,
section 4: STQ = sqrt(AQ * SQ).

* SQ, segmentation quality: the mean IoU of the classes over all pixels of all
  sequences. True void is left out. Predicted void is wrong, and where it stands
  on a class it counts as one more class, of IoU 0.
* AQ, association quality: for each true tube g of a thing,
  1 / |g| * sum over predicted tubes p of TPA^2 / (|g| + |p| - TPA), TPA being
  the pixels that g and p share; then the mean over all tubes. The classes of
  g and p need not agree. Pixels of crowd leave the predicted tubes.

Both equal the public evaluation of KITTI-STEP, with counts that stay exact.
"""

from typing import Any

import numpy as np

from metrics import tube_metric


class SegmentationTrackingQuality(tube_metric.TubeMetric):
  """STQ of a stream of frames.

  Memory grows with the pairs of tubes that share a pixel, not with the frames.
  """

  name = 'STQ'

  def result(self) -> dict[str, float]:
    """Returns STQ, AQ and SQ of all sequences together, in percent."""
    details = self.details()
    return {name: 100 * details[name] for name in ('STQ', 'AQ', 'SQ')}

  def details(self) -> dict[str, Any]:
    """Returns the figures so far, in plain Python numbers.

    Returns:
      `STQ`, `AQ`, `SQ` in 0..1, of all sequences together; `per_sequence`:
      {sequence: {STQ, AQ, SQ, frames}}. AQ is 0 without a true tube, SQ without
      a class.

    Raises:
      ValueError: If there are no frames.
    """
    self._tracker.check_any()
    rows, tube_qualities, confusions = {}, [], []
    for sequence, frames in self._tracker.frames.items():
      shared = self._shared(sequence)
      tube_qualities.append(self._tube_qualities(shared))
      confusions.append(self._confusion(shared))
      rows[sequence] = _figures(tube_qualities[-1], confusions[-1])
      rows[sequence]['frames'] = frames
    total = _figures(np.concatenate(tube_qualities), np.sum(confusions, 0))
    return total | {'per_sequence': rows}

  def _add(self, shared: tube_metric.SharedPixels, sequence: str) -> None:
    # By pair of tubes, the pixels that they share.
    pixels = self._sequences.setdefault(sequence, {})
    for true, found, n in zip(*(a.tolist() for a in shared), strict=True):
      pixels[true, found] = pixels.get((true, found), 0) + n

  def _shared(self, sequence: str) -> tube_metric.SharedPixels:
    """The shared pixels of all frames, no pair twice."""
    pixels = self._sequences[sequence]
    truth, prediction = np.array(list(pixels), np.int64).T
    counts = np.array(list(pixels.values()), np.int64)
    return tube_metric.SharedPixels(truth, prediction, counts)

  def _confusion(self, shared: tube_metric.SharedPixels) -> np.ndarray:
    """int64 `[true class, predicted class]` pixels; row 0, void, is empty."""
    truth, prediction = map(tube_metric.classes_of, shared[:2])
    size = len(self._isthing)
    counts = np.bincount(truth * size + prediction, shared.pixels, size**2)
    confusion = counts.reshape(size, size).astype(np.int64)
    confusion[0] = 0
    return confusion

  def _tube_qualities(self, shared: tube_metric.SharedPixels) -> np.ndarray:
    """float64 `[tubes]`: the inner sum of AQ for each true tube."""
    truth, prediction, pixels = shared
    true_thing = self._isthing[tube_metric.classes_of(truth)]
    is_crowd = true_thing & ~tube_metric.has_id(truth)
    in_truth = true_thing & ~is_crowd
    in_prediction = (
      self._isthing[tube_metric.classes_of(prediction)] & ~is_crowd
    )
    _, g = np.unique(truth, return_inverse=True)
    _, p = np.unique(prediction, return_inverse=True)
    true_size = np.bincount(g, pixels * in_truth)
    predicted_size = np.bincount(p, pixels * in_prediction)
    both = in_truth & in_prediction
    g, p, tpa = g[both], p[both], pixels[both]
    union = true_size[g] + predicted_size[p] - tpa
    inner = np.bincount(g, tpa * (tpa / union), len(true_size))
    return inner[true_size > 0] / true_size[true_size > 0]


def _figures(qualities: np.ndarray, confusion: np.ndarray) -> dict[str, Any]:
  aq = qualities.sum() / max(len(qualities), 1)
  shared = confusion.diagonal()
  union = confusion.sum(0) + confusion.sum(1) - shared
  present = union > 0
  sq = (shared[present] / union[present]).sum() / max(present.sum(), 1)
  return {'STQ': float(np.sqrt(aq * sq)), 'AQ': float(aq), 'SQ': float(sq)}
