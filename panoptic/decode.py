"""From the model's answer to a panoptic map of the image's own size.

The answer is a label map: integers `[h, w, 2]` at mask size, class and instance
id of each pixel, 0 for void.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from panoptic import classes as classes_lib
from panoptic import maps

SEGMENTS_BY = ('id', 'class_and_id')


class Rule(NamedTuple):
  """How a model's label maps become panoptic maps.

  Attributes:
    image_size: (H, W) of the model's input.
    num_classes: Of the model, void included; 1: its segments have ids alone.
    max_instances: K; ids are below it.
    segments_by: 'id': a segment is an instance id, of the class that most of
      its pixels have (the paper's rule). 'class_and_id': see
      `by_class_and_id`.
    min_segment_pixels: Smaller segments become void.
  """

  image_size: tuple[int, int]
  num_classes: int
  max_instances: int
  segments_by: str = 'id'
  min_segment_pixels: int = 0


def decode(
  label_map: np.ndarray,
  resized_size: Sequence[int],
  original_size: Sequence[int],
  rule: Rule,
  classes: classes_lib.ClassTable,
) -> maps.PanopticMap:
  """Makes the panoptic map of an image.

  Args:
    label_map: Integers `[h, w, 2]`.
    resized_size: Rows and columns of the model's input that are image.
    original_size: Rows and columns of the image.
    rule: How segments are found.
    classes: The data set's table.

  Returns:
    The map, segment ids int32 `original_size`.
  """
  label_map = to_original_size(
    label_map, rule.image_size, resized_size, original_size
  )
  label_map = with_known_classes(label_map, rule, classes)
  if rule.segments_by == 'class_and_id':
    label_map = by_class_and_id(label_map, classes, rule.max_instances)
  return from_label_map(label_map, classes, rule.min_segment_pixels)


def with_known_classes(
  label_map: np.ndarray, rule: Rule, classes: classes_lib.ClassTable
) -> np.ndarray:
  """A label map `[h, w, 2]` in the classes of the data set."""
  if rule.num_classes == 1:  # Whatever has an id is of the one class.
    has_id = np.minimum(label_map[..., 1:], 1)
    label_map = np.concatenate([has_id, label_map[..., 1:]], axis=-1)
  # The model may know more classes than the data set; those are void.
  known = label_map[..., :1] < classes.num_classes
  return np.where(known, label_map, 0)


def to_original_size(
  label_map: np.ndarray,
  image_size: Sequence[int],
  resized_size: Sequence[int],
  original_size: Sequence[int],
) -> np.ndarray:
  """Undoes resizing and padding: crops, and resizes by nearest neighbours.

  Args:
    label_map: `[h, w, ...]`, a map of the whole input at mask size.
    image_size: (H, W) of the input.
    resized_size: Rows and columns of the input that are image.
    original_size: (h0, w0).

  Returns:
    `[h0, w0, ...]`, of the same dtype.
  """
  rows, columns = (
    (2 * np.arange(original, dtype=np.int64) + 1)
    * int(resized)
    * mask
    // (2 * int(original) * int(size))
    for original, resized, mask, size in zip(
      original_size, resized_size, label_map.shape, image_size, strict=False
    )
  )
  return label_map[rows[:, np.newaxis], columns]


def by_class_and_id(
  label_map: np.ndarray, classes: classes_lib.ClassTable, max_instances: int
) -> np.ndarray:
  """Makes of each class and id an id of its own, and of each class of stuff.

  A thing is a class and an instance id, and stuff has a class alone, whatever
  its id (Kirillov et al. 2019, section 3.1). So neither pixels of two classes
  that share an id nor stuff of two ids lose anything. The new ids do not depend
  on the frame.

  Args:
    label_map: Integers `[h, w, 2]`, class and instance id, 0 for void.
    classes: The data set's table.
    max_instances: K; ids are below it.

  Returns:
    int64 `[h, w, 2]`.
  """
  class_map, ids = np.moveaxis(label_map.astype(np.int64), -1, 0)
  is_stuff = ~classes.isthing
  is_stuff[0] = False
  ids = np.where(is_stuff[class_map], 1, ids)
  known = (class_map > 0) & (ids > 0)
  ids = np.where(known, (class_map - 1) * max_instances + ids, 0)
  return np.stack([class_map, ids], axis=-1)


def from_label_map(
  label_map: np.ndarray, classes: classes_lib.ClassTable, min_pixels: int = 0
) -> maps.PanopticMap:
  """Cleans a label map up into segments.

  Each instance id takes the majority class of its pixels (the lower class
  where two are as frequent). Ids whose class is void, and those with fewer
  than `min_pixels` pixels, become void.

  Args:
    label_map: Integers `[h, w, 2]`, class and instance id, 0 for void.
    classes: The data set's table.
    min_pixels: The smallest segment that is kept.

  Returns:
    The map, segment ids int32 `[h, w]`.
  """
  class_map, ids = label_map[..., 0], label_map[..., 1]
  num_ids = int(ids.max()) + 1
  keys = ids.astype(np.int64) * classes.num_classes + class_map
  counts = np.bincount(keys.ravel(), minlength=num_ids * classes.num_classes)
  counts = counts.reshape(num_ids, classes.num_classes)
  majority = counts.argmax(1)
  sizes = counts.sum(1)
  kept = (majority > 0) & (sizes > 0) & (sizes >= min_pixels)
  kept[0] = False
  segments = [
    maps.Segment(
      int(i), classes.category(int(majority[i])).id, 0, int(sizes[i])
    )
    for i in np.flatnonzero(kept)
  ]
  segment_ids = np.where(kept, np.arange(num_ids), 0)[ids].astype(np.int32)
  return maps.PanopticMap(segment_ids, segments)
