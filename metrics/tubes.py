"""Panoptic labels of videos, and the pixels that tubes share.

A label is one number for class and instance, class * label_divisor + instance,
and the same one in all frames of a sequence: its pixels are a tube. What STQ
and VPQ need of a frame is only how many pixels each pair of a ground-truth and
a predicted tube shares. As in `panoptic_quality`, runs of equal pixels are
counted, not pixels.
"""

from typing import NamedTuple

import numpy as np

from metrics import panoptic_quality

_MAX_LABEL = 2**31 - 1


class LabelSpace(NamedTuple):
  """What the labels of a data set mean.

  Attributes:
    num_classes: classes are 0 .. num_classes - 1.
    things: the classes that have instances. In ground truth, instance 0 of a
      thing is crowd.
    void: the class of pixels without one; it may be one of the classes or lie
      outside, as 255 does.
    label_divisor: labels are class * label_divisor + instance.
  """

  num_classes: int
  things: tuple[int, ...]
  void: int
  label_divisor: int = 1000

  def check(self) -> None:
    """Raises ValueError unless the numbers fit each other."""
    classes = range(self.num_classes)
    if (
      self.label_divisor < 1
      or self.void < 0
      or self.num_classes < 1
      or any(c not in classes or c == self.void for c in self.things)
      or (
        max(self.num_classes, self.void + 1) * self.label_divisor > _MAX_LABEL
      )
    ):
      raise ValueError(
        f'{self} is no space of labels; give classes, a void class of 0 or '
        'more, things among the classes and not void, and a label_divisor '
        f'that keeps labels below {_MAX_LABEL}'
      )

  def labels(
    self, class_map: np.ndarray, instance_map: np.ndarray, where: str = 'map'
  ) -> np.ndarray:
    """Joins classes and instances: int32 [h, w].

    Args:
      class_map: integers [h, w].
      instance_map: integers [h, w].
      where: names the maps in the error.

    Raises:
      ValueError: the shapes differ, or an instance does not fit.
    """
    if class_map.shape != instance_map.shape:
      raise ValueError(
        f'{where}: the classes are {list(class_map.shape)} and the instances '
        f'{list(instance_map.shape)} pixels; give two maps of one size'
      )
    low, high = instance_map.min(initial=0), instance_map.max(initial=0)
    if low < 0 or high >= self.label_divisor:
      raise ValueError(
        f'{where}: instance ids run from {low} to {high}, and the labels hold '
        f'0 to {self.label_divisor - 1}; renumber the instances or raise '
        'label_divisor'
      )
    return class_map.astype(np.int32) * self.label_divisor + instance_map


KITTI_STEP = LabelSpace(
  num_classes=19, things=(11, 13), void=255, label_divisor=2**16
)


class Overlaps(NamedTuple):
  """The pixels of pairs of tubes; int64 [n] each, no pair twice.

  Attributes:
    gt: labels of the ground truth.
    pred: labels of the prediction.
    pixels: how many pixels have both.
  """

  gt: np.ndarray
  pred: np.ndarray
  pixels: np.ndarray


def count_overlaps(
  ground_truth: np.ndarray,
  prediction: np.ndarray,
  space: LabelSpace,
  where: str,
) -> Overlaps:
  """Counts the pixels of the pairs of tubes of one frame.

  Args:
    ground_truth: integers [h, w], labels.
    prediction: the same.
    space: what the labels mean. All instances of void become one.
    where: names the frame in the error.

  Raises:
    ValueError: a label's class is neither a class nor void.
  """
  runs = panoptic_quality.find_runs(ground_truth, prediction)
  labels = []
  for side, label_map in (
    ('ground truth', ground_truth),
    ('prediction', prediction),
  ):
    values = label_map.ravel()[runs.start].astype(np.int64)
    low, high = values.min(), values.max()
    if low < 0 or high >= space.num_classes * space.label_divisor:
      classes = values // space.label_divisor
      wrong = (classes != space.void) & (
        (classes < 0) | (classes >= space.num_classes)
      )
      if wrong.any():
        raise ValueError(
          f'{where}, {side}: class {classes[wrong][0]} (label '
          f'{values[wrong][0]}) is neither one of the {space.num_classes} '
          f'classes nor void ({space.void}); check the classes and the '
          'label_divisor'
        )
    # Instances of void have no meaning.
    void = values // space.label_divisor == space.void
    labels.append(np.where(void, space.void * space.label_divisor, values))
  return sum_overlaps([Overlaps(*labels, runs.length)])


def sum_overlaps(parts: list[Overlaps]) -> Overlaps:
  """Adds the pixels of equal pairs."""
  gt, pred, pixels = map(np.concatenate, zip(*parts, strict=True))
  pairs, place = np.unique(gt << 32 | pred, return_inverse=True)
  sums = np.bincount(place, pixels, len(pairs)).astype(np.int64)
  return Overlaps(pairs >> 32, pairs & 0xFFFFFFFF, sums)
