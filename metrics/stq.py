"""Segmentation and tracking quality (STQ), with its two factors.

Weber et al., "STEP: Segmenting and Tracking Every Pixel", arXiv:2102.11859,
section 4: STQ = sqrt(AQ * SQ).

* SQ, segmentation quality: the mean IoU of the classes over all pixels of all
  sequences. Ground-truth void is left out. Predicted void is wrong, and where
  it stands on a class it counts as one more class, of IoU 0.
* AQ, association quality: for each ground-truth tube g of a thing,
  1 / |g| * sum over predicted tubes p of TPA^2 / (|g| + |p| - TPA), TPA being
  the pixels that g and p share; then the mean over all tubes. The classes of
  g and p need not agree. Pixels of crowd leave the predicted tubes.

Both equal the public evaluation of KITTI-STEP, with counts that stay exact.
"""

from typing import Any, Optional

import numpy as np

from metrics import clips, tubes


class SegmentationTrackingQuality:
  """STQ of a stream of frames.

  Memory grows with the pairs of tubes that share a pixel, not with the frames.
  """

  def __init__(self, space: tubes.LabelSpace, max_frames: Optional[int] = None):
    """Starts with no sequence.

    Args:
      space: what the labels mean.
      max_frames: allowed in one sequence; None for any number.

    Raises:
      ValueError: the numbers of `space` do not fit, or no frame is allowed.
    """
    space.check()
    self._space = space
    self._clips = clips.Clips(max_frames)
    self._pixels = {}  # {sequence: {(ground truth, prediction): pixels}}

  def update(
    self,
    ground_truth: np.ndarray,
    prediction: np.ndarray,
    sequence: str,
    frame: Any = None,
  ) -> None:
    """Adds one frame; after an error nothing of it has been added.

    Args:
      ground_truth: integers [h, w], labels class * label_divisor + instance.
      prediction: the same.
      sequence: whose frame it is; its tubes are told apart from those of other
        sequences.
      frame: names the frame in errors; by default its place in the sequence.

    Raises:
      ValueError: a map is not [h, w] integers, sizes differ, there are more
        frames than allowed, or a class is unknown.
    """
    where = self._clips.where(sequence, frame)
    ground_truth, prediction = np.asarray(ground_truth), np.asarray(prediction)
    self._clips.check(sequence, where, ground_truth, prediction)
    found = tubes.count_overlaps(ground_truth, prediction, self._space, where)
    pixels = self._pixels.setdefault(sequence, {})
    for gt, pred, n in zip(*(a.tolist() for a in found), strict=True):
      pixels[gt, pred] = pixels.get((gt, pred), 0) + n
    self._clips.add(sequence, ground_truth.shape)

  def merge(self, other: 'SegmentationTrackingQuality') -> None:
    """Adds the sequences of another stream.

    Raises:
      ValueError: the labels mean something else, or a sequence is in both.
    """
    if self._space != other._space:
      raise ValueError(
        'two streams of STQ have different spaces of labels; build both from '
        'the same'
      )
    self._clips.merge(other._clips)
    self._pixels |= other._pixels

  def result(self) -> dict[str, Any]:
    """Returns the figures so far, in plain Python numbers.

    Returns:
      `STQ`, `AQ`, `SQ` in 0..1, of all sequences together; `per_sequence`:
      {sequence: {STQ, AQ, SQ, frames}}. AQ is 0 without a ground-truth tube,
      SQ without a class.

    Raises:
      ValueError: there are no frames.
    """
    self._clips.check_any()
    rows, tube_qualities, confusions = {}, [], []
    for sequence, frames in self._clips.frames.items():
      overlaps = self._overlaps(sequence)
      tube_qualities.append(self._tube_qualities(overlaps))
      confusions.append(self._confusion(overlaps))
      rows[sequence] = _figures(tube_qualities[-1], confusions[-1])
      rows[sequence]['frames'] = frames
    total = _figures(np.concatenate(tube_qualities), sum(confusions))
    return total | {'per_sequence': rows}

  def _overlaps(self, sequence: str) -> tubes.Overlaps:
    pixels = self._pixels[sequence]
    gt, pred = np.array(list(pixels), np.int64).T
    return tubes.Overlaps(gt, pred, np.array(list(pixels.values()), np.int64))

  def _confusion(self, overlaps: tubes.Overlaps) -> np.ndarray:
    """int64 [ground truth, prediction] pixels; the row of void is empty."""
    void, size = self._space.num_classes, self._space.num_classes + 1
    gt, pred = (
      np.where(classes == self._space.void, void, classes)
      for classes in (x // self._space.label_divisor for x in overlaps[:2])
    )
    counts = np.bincount(gt * size + pred, overlaps.pixels, size**2)
    confusion = counts.reshape(size, size).astype(np.int64)
    confusion[void] = 0
    return confusion

  def _tube_qualities(self, overlaps: tubes.Overlaps) -> np.ndarray:
    """float64 [tubes]: the inner sum of AQ for each ground-truth tube."""
    gt, pred, pixels = overlaps
    gt_class, gt_instance = np.divmod(gt, self._space.label_divisor)
    gt_thing = np.isin(gt_class, self._space.things)
    in_gt = gt_thing & (gt_instance > 0)
    in_pred = np.isin(pred // self._space.label_divisor, self._space.things)
    in_pred &= ~(gt_thing & (gt_instance == 0))
    _, gt_place = np.unique(gt, return_inverse=True)
    _, pred_place = np.unique(pred, return_inverse=True)
    gt_size = np.bincount(gt_place, pixels * in_gt)
    pred_size = np.bincount(pred_place, pixels * in_pred)
    both = in_gt & in_pred
    g, p, shared = gt_place[both], pred_place[both], pixels[both]
    union = gt_size[g] + pred_size[p] - shared
    inner = np.bincount(g, shared * (shared / union), len(gt_size))
    return inner[gt_size > 0] / gt_size[gt_size > 0]


def _figures(qualities: np.ndarray, confusion: np.ndarray) -> dict[str, Any]:
  aq = qualities.sum() / max(len(qualities), 1)
  shared = confusion.diagonal()
  union = confusion.sum(0) + confusion.sum(1) - shared
  present = union > 0
  sq = (shared[present] / union[present]).sum() / max(present.sum(), 1)
  return {'STQ': float(np.sqrt(aq * sq)), 'AQ': float(aq), 'SQ': float(sq)}
