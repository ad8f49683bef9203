"""From a decoded panoptic map to segments, on the host."""

from typing import Any, Dict, List, Tuple

import numpy as np

from panoptic import classes as classes_lib
from panoptic import maps


def as_map(
  segment_ids: np.ndarray, found: List[Dict[str, Any]]
) -> maps.PanopticMap:
  """The panoptic map of segment ids and their list of dictionaries."""
  return maps.PanopticMap(
    segment_ids, [maps.Segment.from_json(segment) for segment in found]
  )

# Values of `evaluation.segments_by`.
SEGMENTS_BY = ('id', 'class_and_id')


def by_class_and_id(
  label_map: np.ndarray, classes: classes_lib.ClassTable, max_instances: int
) -> np.ndarray:
  """Makes of each class and id an id of its own, and of each class of stuff.

  A thing is a class and an instance id, and stuff has a class alone, whatever
  its id (Kirillov et al. 2019, section 3.1). So neither pixels of two classes
  that share an id nor stuff of two ids lose anything. The new ids do not depend
  on the frame.

  Args:
    label_map: integers `[h, w, 2]`, class and instance id, 0 for void.
    classes: the data set's table.
    max_instances: K; ids are below it.

  Returns:
    int64 `[h, w, 2]`.
  """
  class_map, ids = np.moveaxis(label_map.astype(np.int64), -1, 0)
  is_stuff = np.array([False] + [not c.isthing for c in classes.categories])
  ids = np.where(is_stuff[class_map], 1, ids)
  known = (class_map > 0) & (ids > 0)
  ids = np.where(known, (class_map - 1) * max_instances + ids, 0)
  return np.stack([class_map, ids], axis=-1)


def from_label_map(
  label_map: np.ndarray, classes: classes_lib.ClassTable, min_pixels: int = 0
) -> Tuple[np.ndarray, List[Dict[str, Any]]]:
  """Cleans a predicted map up into segments.

  Each instance id takes the majority class of its pixels (the lower class
  where two are as frequent). Ids whose class is void, and those with fewer
  than `min_pixels` pixels, become void.

  Args:
    label_map: integers `[h, w, 2]`, class and instance id, 0 for void.
    classes: the data set's table.
    min_pixels: the smallest segment that is kept.

  Returns:
    Segment ids int32 `[h, w]`, 0 for void, and a list of dictionaries of
    'id', 'category_id' (the data set's own) and 'iscrowd' (0).
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
    {
      'id': int(i),
      'category_id': classes.category(int(majority[i])).id,
      'iscrowd': 0,
    }
    for i in np.flatnonzero(kept)
  ]
  return np.where(kept, np.arange(num_ids), 0)[ids].astype(np.int32), segments
