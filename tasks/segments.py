"""From a decoded panoptic map to segments, on the host."""

from typing import Any, Dict, List, Tuple

import numpy as np

from data import labels


def from_label_map(
  label_map: np.ndarray, classes: labels.ClassTable, min_pixels: int = 0
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
