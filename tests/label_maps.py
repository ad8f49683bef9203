"""Label maps, class * divisor + instance, as panoptic maps."""

from typing import NamedTuple

import numpy as np

from panoptic.classes import Category
from panoptic.maps import PanopticMap, Segment


class LabelSpace(NamedTuple):
  """The meaning of labels.

  Attributes:
    num_classes: Classes are 0 .. num_classes - 1; category ids are one more.
    things: The classes that have instances; instance 0 is a crowd.
    void: The class of pixels without one, among the classes or outside.
    label_divisor: Labels are class * label_divisor + instance.
  """

  num_classes: int
  things: tuple[int, ...]
  void: int
  label_divisor: int = 1000

  @property
  def categories(self) -> list[Category]:
    return [
      Category(c + 1, str(c), c in self.things) for c in range(self.num_classes)
    ]

  def panoptic_map(self, labels: np.ndarray) -> PanopticMap:
    """The map of labels `[h, w]`; each label is a segment."""
    is_void = labels // self.label_divisor == self.void
    ids = np.where(is_void, 0, labels.astype(np.int64) + 1)
    segments = []
    for label in np.unique(labels[~is_void]).tolist():
      kind, instance = divmod(label, self.label_divisor)
      crowd = int(kind in self.things and instance == 0)
      segments.append(Segment(label + 1, kind + 1, crowd))
    return PanopticMap(ids, segments)
