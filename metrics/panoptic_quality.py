"""Panoptic quality (PQ), equal to the official COCO evaluation.

Kirillov et al., "Panoptic Segmentation", arXiv:1801.00868, section 4, with the
COCO rules for void and crowd:

* A match is a predicted and a non-crowd true segment of one category with IoU
  strictly above 0.5; predicted pixels on void leave the union.
* FN: non-crowd ground truth without a match.
* FP: prediction without a match, unless strictly more than half of its pixels
  lie on void or on the crowd region of its own category. Of several crowd
  regions of one category in one image only the last one listed counts.

Ground truth whose map and list contradict each other is refused, where the
official evaluation returns a figure; every figure returned here is equal.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from metrics import metric, overlaps, pq_stat
from panoptic import classes, maps, segment_table


class PanopticQuality:
  """Panoptic quality of a stream of images.

  Counts are kept per category, so memory does not grow with the images.

  Attributes:
    num_images: The number of images scored so far.
  """

  def __init__(self, categories: Sequence[classes.Category]):
    """Starts with no images.

    Args:
      categories: The categories that are scored.

    Raises:
      ValueError: If there are no categories, or one id twice.
    """
    self._positions = segment_table.category_positions(categories)
    self._settings = {
      'categories': [(c.id, bool(c.isthing)) for c in categories]
    }
    self._stat = pq_stat.PQStat(categories)
    self.num_images = 0

  def update(
    self,
    truth: maps.PanopticMap,
    prediction: maps.PanopticMap,
    sequence: str = '',
    name: Any = None,
  ) -> None:
    """Adds one image; after an error nothing of it has been added.

    Args:
      truth: The annotation. A segment without pixels is a FN.
      prediction: The segments to be scored, in a map of the same size.
      sequence: Makes no difference: frames are scored as images.
      name: Names the image in errors; by default its place in the stream.

    Raises:
      ValueError: If the sizes differ, a map is not integers, an id is in a map
        but not listed, listed twice or listed as 0, a category is unknown, a
        predicted segment has no pixels, or the stated area of a true segment
        is not its number of pixels.
    """
    del sequence
    where = f'image {self.num_images if name is None else name}'
    overlaps.check_maps(truth, prediction, where)
    found = overlaps.count_overlaps(truth, prediction, self._positions, where)
    _check_stated_areas(truth.segments, found.pixels.sum(1), where)
    self._stat.add(
      found.pixels,
      found.truth.category,
      found.prediction.category,
      found.truth.crowd,
    )
    self.num_images += 1

  def merge(self, other: 'PanopticQuality') -> None:
    """Adds the images of another stream.

    Raises:
      ValueError: If the streams have different categories.
    """
    metric.check_same_settings('PQ', self._settings, other._settings)
    self._stat.merge(other._stat)
    self.num_images += other.num_images

  def result(self) -> dict[str, float]:
    """Returns PQ, SQ, RQ in percent, also as PQ_things, PQ_stuff, ..."""
    details = self.details()
    return {
      name.upper() + suffix: 100 * details[group][name]
      for group, suffix in pq_stat.GROUPS.items()
      for name in ('pq', 'sq', 'rq')
    }

  def details(self) -> dict[str, Any]:
    """Returns the figures so far; see `PQStat.details`."""
    return self._stat.details()


def _check_stated_areas(
  segments: Sequence[maps.Segment], area: np.ndarray, where: str
) -> None:
  """Refuses areas that would make the official figure another than ours."""
  for segment, pixels in zip(segments, area[1:], strict=True):
    if pixels and segment.area not in (None, pixels):
      raise ValueError(
        f'{where}, ground truth: segment {segment.id} states an area of '
        f'{segment.area} but has {pixels:.0f} pixels in the map; pair the '
        'list with its own map, or leave the area out'
      )
