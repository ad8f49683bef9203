"""`panoptic.decode` by operations of TensorFlow, for a graph that is served.

The maps are the same, pixel by pixel; tests compare the two.
"""

from collections.abc import Sequence

import tensorflow as tf

from panoptic import classes as classes_lib
from panoptic import decode as decode_lib


def decode(
  label_map: tf.Tensor,
  resized_size: tf.Tensor,
  original_size: tf.Tensor,
  rule: decode_lib.Rule,
  classes: classes_lib.ClassTable,
) -> tuple[tf.Tensor, tf.Tensor]:
  """Makes the panoptic map of an image.

  Args:
    label_map: The model's answer, int32 `[h, w, 2]`.
    resized_size: int32 `[2]`, rows and columns of the input that are image.
    original_size: int32 `[2]`, rows and columns of the image.
    rule: How segments are found.
    classes: The data set's table.

  Returns:
    The category id and the segment id of each pixel, int32 `original_size`
    each; both are 0 where it is void.
  """
  label_map = to_original_size(
    label_map, rule.image_size, resized_size, original_size
  )
  class_map, ids = tf.unstack(label_map, axis=-1)
  if rule.num_classes == 1:  # Whatever has an id is of the one class.
    class_map = tf.minimum(ids, 1)
  # The model may know more classes than the data set; those are void.
  known = class_map < classes.num_classes
  class_map, ids = (tf.where(known, x, 0) for x in (class_map, ids))
  num_ids = rule.max_instances
  if rule.segments_by == 'class_and_id':
    ids = by_class_and_id(class_map, ids, classes, num_ids)
    num_ids = len(classes.categories) * num_ids + 1
  else:
    class_map = majority_class(class_map, ids, classes.num_classes, num_ids)
  areas = tf.math.unsorted_segment_sum(tf.ones_like(ids), ids, num_ids)
  large = tf.gather(areas, ids) >= rule.min_segment_pixels
  kept = large & (ids > 0) & (class_map > 0)
  class_map, ids = (tf.where(kept, x, 0) for x in (class_map, ids))
  categories = tf.constant([0, *(c.id for c in classes.categories)], tf.int32)
  return tf.gather(categories, class_map), ids


def to_original_size(
  label_map: tf.Tensor,
  image_size: Sequence[int],
  resized_size: tf.Tensor,
  original_size: tf.Tensor,
) -> tf.Tensor:
  """Undoes resizing and padding, by nearest neighbours.

  Args:
    label_map: `[h, w, ...]`, a map of the whole input at mask size.
    image_size: (H, W) of the input.
    resized_size: int32 `[2]`, rows and columns of the input that are image.
    original_size: int32 `[2]`, (h0, w0).

  Returns:
    `[h0, w0, ...]`.
  """
  for axis in (0, 1):
    original, resized = (
      tf.cast(size[axis], tf.int64) for size in (original_size, resized_size)
    )
    mask, size = label_map.shape[axis], image_size[axis]
    position = (2 * tf.range(original) + 1) * resized * mask
    label_map = tf.gather(
      label_map, position // (2 * original * size), axis=axis
    )
  return label_map


def by_class_and_id(
  class_map: tf.Tensor,
  ids: tf.Tensor,
  classes: classes_lib.ClassTable,
  max_instances: int,
) -> tf.Tensor:
  """Ids that a class and an id, or a class of stuff, have for themselves.

  Args:
    class_map: int32 `[h, w]`.
    ids: int32 `[h, w]`.
    classes: The data set's table.
    max_instances: K; ids are below it.

  Returns:
    int32 `[h, w]`.
  """
  is_stuff = tf.constant([False, *(not c.isthing for c in classes.categories)])
  ids = tf.where(tf.gather(is_stuff, class_map), 1, ids)
  known = (class_map > 0) & (ids > 0)
  return tf.where(known, (class_map - 1) * max_instances + ids, 0)


def majority_class(
  class_map: tf.Tensor, ids: tf.Tensor, num_classes: int, num_ids: int
) -> tf.Tensor:
  """The class that most pixels of a pixel's id have.

  Args:
    class_map: int32 `[h, w]`.
    ids: int32 `[h, w]`.
    num_classes: Classes are below it.
    num_ids: Ids are below it.

  Returns:
    int32 `[h, w]`; the lower class where two are as frequent.
  """
  counts = tf.math.unsorted_segment_sum(
    tf.ones_like(ids, tf.int64),
    tf.cast(ids, tf.int64) * num_classes + tf.cast(class_map, tf.int64),
    num_ids * num_classes,
  )
  counts = tf.reshape(counts, [num_ids, num_classes])
  # No two are equal, so that every device finds the same.
  counts = counts * num_classes - tf.range(num_classes, dtype=tf.int64)
  majority = tf.argmax(counts, axis=1, output_type=tf.int32)
  return tf.gather(majority, ids)
