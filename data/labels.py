"""The labels' contract: class tables, areas and the draw of instance ids.

A label map is int32 `[..., 2]`: channel 0 the contiguous class, channel 1 a
number that tells the segments of one image apart. 0 in both is void.
"""

import colorsys
import json
import os
from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf

_FILE = 'classes.json'


class Category(NamedTuple):
  """A class as its data set knows it."""

  id: int
  name: str
  color: Tuple[int, int, int]  # RGB, 0..255.
  isthing: bool


def palette_color(position: int) -> Tuple[int, int, int]:
  """A colour for the category at this position of a table, RGB in 0..255.

  Hues go round in golden-ratio steps, so that neighbours differ however long
  the table is; brightness alternates for the same reason.
  """
  hue = position * 0.6180339887 % 1
  saturation, value = (0.75, 0.95) if position % 2 else (0.55, 0.7)
  red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
  return round(red * 255), round(green * 255), round(blue * 255)


class GroundTruth(NamedTuple):
  """What is to be found in one image, at its original size.

  Attributes:
    segment_ids: int32 `[h0, w0]`, a segment's id at each of its pixels; 0:
      void.
    segments: One mapping a segment with `id`, `category_id` (the data set's
      own), `iscrowd` (0 or 1) and `area` (pixels).
    void: bool `[h0, w0]`, what the labels call void, where that is not the same
      as what they leave out, which DAVIS calls background; None: nothing.
  """

  segment_ids: np.ndarray
  segments: List[Mapping[str, Any]]
  void: Optional[np.ndarray] = None


class ClassTable:
  """Translates a data set's category ids to contiguous classes and back.

  The class of a category is its position in the table plus one; 0 is void.
  """

  def __init__(self, categories: Sequence[Category]):
    """Raises ValueError if an id is not positive or stands there twice."""
    self.categories = tuple(categories)
    ids = [category.id for category in self.categories]
    for category in self.categories:
      if category.id < 1 or ids.count(category.id) > 1:
        raise ValueError(
          f'category id {category.id} ({category.name!r}) must be positive '
          'and stand in the class table once'
        )
    self._class_of = np.zeros(max(ids, default=0) + 1, np.int32)
    self._class_of[ids] = np.arange(1, len(ids) + 1)

  def save(self, folder: str) -> None:
    """Writes the table into a run's folder, which is made if need be."""
    tf.io.gfile.makedirs(folder)
    path = os.path.join(folder, _FILE)
    with tf.io.gfile.GFile(f'{path}.tmp', 'w') as file:
      json.dump([category._asdict() for category in self.categories], file)
    tf.io.gfile.rename(f'{path}.tmp', path, overwrite=True)

  @classmethod
  def load(cls, folder: str) -> Optional['ClassTable']:
    """Reads what `save` wrote; None if the folder has none."""
    path = os.path.join(folder, _FILE)
    if not tf.io.gfile.exists(path):
      return None
    with tf.io.gfile.GFile(path) as file:
      rows = json.load(file)
    return cls(
      [Category(**{**row, 'color': tuple(row['color'])}) for row in rows]
    )

  @property
  def num_classes(self) -> int:
    """The number of classes, void included."""
    return len(self.categories) + 1

  def to_contiguous(self, category_ids) -> np.ndarray:
    """Category ids (any shape, 0 is void) to classes, int32.

    Raises:
      ValueError: If an id is not in the table.
    """
    ids = np.asarray(category_ids, np.int64)
    known = (ids >= 0) & (ids < len(self._class_of))
    classes = self._class_of[np.where(known, ids, 0)]
    unknown = np.unique(ids[(classes == 0) & (ids != 0)])
    if unknown.size:
      raise ValueError(
        f'category id {unknown[0]} is not one of the {len(self.categories)} '
        'categories of the data set'
      )
    return classes

  def category(self, contiguous: int) -> Category:
    """The category of a class; ValueError for void and classes beyond."""
    if not 1 <= contiguous < self.num_classes:
      raise ValueError(
        f'class {contiguous} is no category: 1..{self.num_classes - 1} are'
      )
    return self.categories[contiguous - 1]


def rank_by_area(
  numbers: tf.Tensor, size: tf.Tensor
) -> Tuple[tf.Tensor, tf.Tensor]:
  """Ranks the segments of each image by the pixels they have.

  Args:
    numbers: int32 `[B, ...]`, a segment number in 0..size-1 at each pixel; 0
      is void.
    size: The most segments of an image, plus one for void.

  Returns:
    areas: int32 `[B, size]`, pixels by segment number.
    ranks: int32 `[B, size]`, 1 for the largest segment, 2 for the next; ties go
      by number, segments without a pixel come last, void has rank 0.
  """
  flat = tf.reshape(numbers, [tf.shape(numbers)[0], -1])
  areas = tf.math.bincount(flat, minlength=size, maxlength=size, axis=-1)
  order = tf.argsort(areas[:, 1:], direction='DESCENDING', stable=True)
  ranks = tf.argsort(order) + 1
  return areas, tf.pad(ranks, [[0, 0], [1, 0]])


def draw_instance_ids(
  label_map: tf.Tensor, max_instances: int, seed: tf.Tensor
) -> Tuple[tf.Tensor, tf.Tensor]:
  """Gives each segment a random instance id (section 3 of the paper).

  The ids of an image are drawn without replacement from 1..K-1. Where there
  are more segments than ids, the smallest become void. Segments are ranked by
  the pixels they have here, so one that a crop has cut away takes no id. The
  frames of a clip share one draw: give them as one example `[B, T, h, w, 2]`.

  Args:
    label_map: int32 `[B, ..., 2]`, channel 1 any segment numbers, 0 for void.
    max_instances: K; ids go from 1 to K-1.
    seed: int32 or int64 `[B, 2]`, one an example.

  Returns:
    The label map with drawn ids, int32 `[B, ..., 2]`, and the number of
    segments that found no id, int32 `[B]`.
  """
  # Both channels as one integer, the number in its upper half: four times as
  # fast as to take them apart and to stack them again.
  both = tf.bitcast(label_map, tf.int64)
  numbers = tf.cast(tf.bitwise.right_shift(both, 32), tf.int32)
  areas, ranks = rank_by_area(numbers, tf.reduce_max(numbers) + 1)
  ids = tf.map_fn(
    lambda s: tf.random.experimental.stateless_shuffle(
      tf.range(1, max_instances), s
    ),
    seed,
    fn_output_signature=tf.TensorSpec([max_instances - 1], tf.int32),
  )
  ids = tf.pad(ids, [[0, 0], [1, 0]])  # Rank 0 is void and stays 0.
  has_id = ranks < max_instances
  id_of = tf.gather(ids, tf.where(has_id, ranks, 0), batch_dims=1)
  dropped = tf.reduce_sum(tf.cast(~has_id & (areas > 0), tf.int32), axis=1)
  # The count of pixels does not know the number of examples.
  dropped = tf.ensure_shape(dropped, label_map.shape[:1])
  # What goes onto each pixel: its id, and a mask that takes its class away
  # where the segment has no id.
  table = tf.stack([-tf.cast(id_of > 0, tf.int32), id_of], axis=-1)
  table = tf.gather(tf.bitcast(table, tf.int64), numbers, batch_dims=1)
  upper_half = tf.constant(-1 << 32, tf.int64)
  drawn = tf.bitwise.bitwise_and(tf.bitwise.bitwise_or(both, upper_half), table)
  return tf.bitcast(drawn, tf.int32), dropped
