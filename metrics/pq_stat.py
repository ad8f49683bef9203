"""Matches segments and counts: the core of panoptic quality.

Kirillov et al., "Panoptic Segmentation", arXiv:1801.00868, section 4. An image
and a window of a video differ only in their pixels, so both are scored here,
from the pixels that each pair of segments shares.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from panoptic import classes

VOID = 0  # Row and column of the pixels that belong to no segment.
# The ending of a score's name by the categories that it is a mean of.
GROUPS = {'All': '', 'Things': '_things', 'Stuff': '_stuff'}


class PQStat:
  """True and false positives and false negatives of each category.

  Attributes:
    tp, fp, fn: int64 `[categories]`.
    iou_sum: float64 `[categories]`, the sum of the IoUs of the matches.
  """

  def __init__(self, categories: Sequence[classes.Category]):
    """Starts at zero."""
    self._ids = [c.id for c in categories]
    self._isthing = np.array([bool(c.isthing) for c in categories])
    self.tp, self.fp, self.fn = np.zeros([3, len(categories)], np.int64)
    self.iou_sum = np.zeros(len(categories))

  def add(
    self,
    overlap: np.ndarray,
    gt_category: np.ndarray,
    pred_category: np.ndarray,
    crowd: np.ndarray,
  ) -> None:
    """Adds one image.

    Args:
      overlap: `[g, p]` pixels that are in true segment g and in predicted
        segment p; row and column 0 are void.
      gt_category: Integers `[g]`, positions of the categories; void has -1.
      pred_category: Integers `[p]`, the same.
      crowd: bool `[g]`. Of several crowd regions of one category the last
        counts.
    """
    gt_area, pred_area = overlap.sum(1), overlap.sum(0)
    union = gt_area[:, None] + pred_area - overlap - overlap[VOID]
    # 2 I > U, and not I / U > 0.5: exact, and free of 0 / 0.
    match = (2 * overlap > union) & (gt_category[:, None] == pred_category)
    match[crowd] = False
    match[VOID] = False
    matched_gt, matched_pred = np.nonzero(match)

    # A dict keeps the last crowd region of a category, as the official one.
    crowd_row = {gt_category[row]: row for row in np.flatnonzero(crowd)}
    ignored = overlap[VOID].copy()
    for category, row in crowd_row.items():
      ignored += np.where(pred_category == category, overlap[row], 0)
    missed = ~(match.any(1) | crowd)
    wrong = ~(match.any(0) | (2 * ignored > pred_area))
    missed[VOID] = wrong[VOID] = False

    self.tp += self._count(gt_category[matched_gt])
    self.fn += self._count(gt_category[missed])
    self.fp += self._count(pred_category[wrong])
    self.iou_sum += np.bincount(
      gt_category[matched_gt], overlap[match] / union[match], len(self.tp)
    )

  def merge(self, other: 'PQStat') -> None:
    """Adds the counts of other images."""
    self.tp += other.tp
    self.fp += other.fp
    self.fn += other.fn
    self.iou_sum += other.iou_sum

  def details(self) -> dict[str, Any]:
    """Returns the figures so far, in plain Python numbers.

    Returns:
      `All`, `Things`, `Stuff`: {pq, sq, rq in 0..1, n}, means over the n
      categories with TP + FP + FN > 0 (0.0 if there is none); `per_category`:
      {category id: {pq, sq, rq, tp, fp, fn, iou_sum}}, every category.
    """
    counts = {'tp': self.tp, 'fp': self.fp, 'fn': self.fn}
    valid = self.tp + self.fp + self.fn > 0
    denominator = np.where(valid, self.tp + self.fp / 2 + self.fn / 2, 1)
    quality = {
      'pq': self.iou_sum / denominator,
      'sq': self.iou_sum / np.maximum(self.tp, 1),
      'rq': self.tp / denominator,
    }
    columns = quality | counts | {'iou_sum': self.iou_sum}
    rows = {
      category: {key: column[p].item() for key, column in columns.items()}
      for p, category in enumerate(self._ids)
    }
    chosen = (valid, valid & self._isthing, valid & ~self._isthing)
    means = {}
    for group, these in zip(GROUPS, chosen, strict=True):
      n = int(these.sum())
      means[group] = {
        key: float(column[these].sum() / max(n, 1))
        for key, column in quality.items()
      } | {'n': n}
    return means | {'per_category': rows}

  def _count(self, category: np.ndarray) -> np.ndarray:
    return np.bincount(category, minlength=len(self.tp))
