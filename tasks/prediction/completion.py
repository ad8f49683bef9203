"""Given maps: images that are labelled in part, and the first mask of a clip.

`prepare` turns a panoptic map into the labels that the sampler keeps (see
`Pix2SeqD.sample`), and `complete` joins the sampler's answer to the map.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from panoptic import classes as classes_lib
from panoptic import decode, maps, segment_table


class Given(NamedTuple):
  """What is given of an image, for the model.

  Attributes:
    label_map: int32 `[h, w, 2]` at mask size: the model's class and id.
    known: bool `[h, w]`, where it counts.
    panoptic: The map, at the size of the image `[h0, w0]`; 0 where nothing is
      known.
    labels: int32 `[h0, w0, 2]`, the same map in the model's classes and ids.
    model_ids: The model's id of each segment, by its id in the map.
  """

  label_map: np.ndarray
  known: np.ndarray
  panoptic: maps.PanopticMap
  labels: np.ndarray
  model_ids: Mapping[int, int]


def prepare(
  given: maps.PanopticMap,
  original_size: Sequence[int],
  resized_size: Sequence[int],
  mask_size: Sequence[int],
  rule: decode.Rule,
  classes: classes_lib.ClassTable,
  where: str = 'the given map',
) -> Given:
  """Makes labels at mask size of the map of an image.

  Void is unknown, and so are crowds, whose objects nobody told apart. Segments
  keep their ids where the model has all of them, else they are numbered.

  Args:
    given: The map.
    original_size: Rows and columns of the image.
    resized_size: Rows and columns of the model's input that are image.
    mask_size: (h, w).
    rule: Of the model.
    classes: The data set's table.
    where: Names the map in errors.

  Raises:
    ValueError: If the map has not the image's size, more segments than the
      model has ids, an unknown class, or ids that it does not list.
  """
  maps.check_map(given.segment_ids, where)
  size = given.segment_ids.shape
  if size != tuple(original_size):
    raise ValueError(
      f'{where} has {size[0]}x{size[1]} pixels, but its image has '
      f'{original_size[0]}x{original_size[1]}: give it the size of the image'
    )
  positions = {c.id: n for n, c in enumerate(classes.categories, start=1)}
  table = segment_table.index_segments(given.segments, positions, where)
  rows = segment_table.rows_of(given.segment_ids, table.ids, where)
  if rule.num_classes > 1 and table.category.max() >= rule.num_classes:
    raise ValueError(
      f'{where} has the category '
      f'{classes.category(int(table.category.max())).id}, which the model has '
      'not learned: leave its segments out'
    )
  known = (given.segment_ids != maps.VOID) & ~table.crowd[rows]
  segments = [s for s in given.segments if not s.iscrowd]
  ids = [segment.id for segment in segments]
  if len(ids) >= rule.max_instances:
    raise ValueError(
      f'{where} has {len(ids)} segments, but the model has ids for '
      f'{rule.max_instances - 1}: leave the smallest out'
    )
  if max(ids, default=0) < rule.max_instances:
    model_ids = {i: i for i in ids}
  else:
    model_ids = {i: number for number, i in enumerate(ids, start=1)}
  of_row = np.array([model_ids.get(i, 0) for i in table.ids.tolist()])
  class_of_row = np.maximum(table.category, 0)
  if rule.num_classes == 1:  # The model's segments have ids alone.
    class_of_row = np.zeros_like(class_of_row)
  mask_rows, mask_columns = (
    _mask_pixels(*sizes)
    for sizes in zip(
      original_size, resized_size, rule.image_size, mask_size, strict=True
    )
  )
  inside = (mask_rows >= 0)[:, np.newaxis] & (mask_columns >= 0)
  at_mask = np.maximum(mask_rows, 0)[:, np.newaxis], np.maximum(mask_columns, 0)
  known_mask = known[at_mask] & inside
  labels = np.stack([class_of_row, of_row], axis=-1).astype(np.int32)[rows]
  labels *= known[..., np.newaxis]
  return Given(
    labels[at_mask] * known_mask[..., np.newaxis],
    known_mask,
    maps.PanopticMap(np.where(known, given.segment_ids, 0), segments),
    labels,
    model_ids,
  )


def nothing(original_size: Sequence[int], mask_size: Sequence[int]) -> Given:
  """A map of which nothing is known, for an image without one."""
  return Given(
    np.zeros([*mask_size, 2], np.int32),
    np.zeros(mask_size, bool),
    maps.PanopticMap(np.zeros(original_size, np.int32), []),
    np.zeros([*original_size, 2], np.int32),
    {},
  )


def as_answer(
  given: Given, rule: decode.Rule, classes: classes_lib.ClassTable
) -> maps.PanopticMap:
  """The given map as if the model had answered it, at the image's size.

  So a clip that goes on from it has the ids of it in all frames: the given ones
  where segments are by id, else those that class and id have.
  """
  label_map = decode.with_known_classes(given.labels, rule, classes)
  if rule.segments_by == 'class_and_id':
    label_map = decode.by_class_and_id(label_map, classes, rule.max_instances)
  return decode.from_label_map(label_map, classes)


def complete(
  label_map: np.ndarray,
  given: Given,
  resized_size: Sequence[int],
  rule: decode.Rule,
  classes: classes_lib.ClassTable,
) -> maps.PanopticMap:
  """Joins an answer to the map that it completes.

  The given pixels stay as they are, at full resolution. Others belong to a
  given segment where they have its id and class, so that given segments grow;
  stuff needs its class alone where segments are by class and id. All the rest
  become new segments with ids that are not given. A pixel with a given id but
  another class is of a new segment, too: that of its class and id.

  Args:
    label_map: Integers `[h, w, 2]`, the answer at mask size.
    given: From `prepare`.
    resized_size: Rows and columns of the model's input that are image.
    rule: How segments are found. Only new ones can be too small.
    classes: The data set's table.

  Returns:
    The map, segment ids int32 of the image's size: given segments first.
  """
  segment_ids = given.panoptic.segment_ids
  label_map = decode.to_original_size(
    label_map, rule.image_size, resized_size, segment_ids.shape
  )
  label_map = decode.with_known_classes(label_map, rule, classes)
  class_map, ids = np.moveaxis(label_map.astype(np.int64), -1, 0)
  # The given segment of each pair of class and id; 0 for none.
  owner = np.zeros([classes.num_classes, rule.max_instances], np.int64)
  pairs = [
    (int(classes.to_contiguous(segment.category_id)), segment.id)
    for segment in given.panoptic.segments
  ]
  if rule.segments_by == 'class_and_id':
    for contiguous, segment_id in pairs:
      if not classes.isthing[contiguous]:
        owner[contiguous] = segment_id
  for contiguous, segment_id in pairs:
    owner[contiguous, given.model_ids[segment_id]] = segment_id
  joined = owner[class_map, ids]
  known = segment_ids != maps.VOID
  is_new = ~known & (joined == 0)
  if rule.segments_by == 'class_and_id':
    new = decode.by_class_and_id(label_map, classes, rule.max_instances)
  else:
    is_taken = np.isin(ids, list(given.model_ids.values()))
    of_both = (class_map - 1) * rule.max_instances + ids
    of_both = np.where(class_map > 0, of_both, 0)
    new = np.stack([class_map, np.where(is_taken, of_both, ids)], axis=-1)
  found = decode.from_label_map(
    new * is_new[..., np.newaxis], classes, rule.min_segment_pixels
  )
  free = (i for i in itertools.count(1) if i not in given.model_ids)
  new_ids = dict(zip((s.id for s in found.segments), free, strict=False))
  renumbered = np.zeros(int(found.segment_ids.max()) + 1, np.int64)
  renumbered[list(new_ids)] = list(new_ids.values())
  drawn = np.where(joined > 0, joined, renumbered[found.segment_ids])
  segment_ids = np.where(known, segment_ids, drawn)
  segments = [
    segment._replace(area=int(np.count_nonzero(segment_ids == segment.id)))
    for segment in given.panoptic.segments
  ]
  segments += [s._replace(id=new_ids[s.id]) for s in found.segments]
  return maps.PanopticMap(
    segment_ids.astype(np.int32), [s for s in segments if s.area]
  )


def _mask_pixels(
  original: int, resized: int, target: int, mask: int
) -> np.ndarray:
  """As `data.geometry.label_pixels` of a whole image, of one axis."""
  position = (2 * np.arange(mask, dtype=np.int64) + 1) * target // (2 * mask)
  pixel = (2 * position + 1) * int(original) // (2 * int(resized))
  return np.where(position < resized, pixel, -1)
