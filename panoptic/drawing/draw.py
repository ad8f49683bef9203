"""Drawings of panoptic maps, for people."""

from collections.abc import Mapping, Sequence

import numpy as np

from panoptic import classes as classes_lib
from panoptic import maps
from panoptic.drawing import labels

VOID = (40, 40, 40)
# A side of an enlarged picture is at most so many times `min_side`.
_MOST = 4
# Colours of shares: 0, 1/3, 2/3 and 1. Each is brighter than the one before.
_HEAT = ((0, 0, 0), (120, 20, 110), (240, 110, 30), (255, 250, 200))


def segment_colors(
  segments: Sequence[maps.Segment],
  classes: classes_lib.ClassTable,
  by_id: bool = False,
) -> Mapping[int, np.ndarray]:
  """A colour for every segment: its class's, varied from thing to thing.

  Args:
    segments: The segments of a map.
    classes: The data set's table.
    by_id: Whether the colour of a thing is that of its id alone, so that it is
      the same in all frames of a video; stuff is darker then.

  Returns:
    uint8 `[3]` by segment id.
  """
  category_of = {category.id: category for category in classes.categories}
  seen: dict[int, int] = {}
  colors = {}
  for segment in segments:
    category = category_of[segment.category_id]
    nth = seen[category.id] = seen.get(category.id, -1) + 1
    color = np.array(category.color, np.float64)
    if by_id and category.isthing:
      color = np.array(classes_lib.palette_color(segment.id))
    elif by_id:  # Dark, or it might look like a thing.
      color = color / 3
    elif category.isthing and nth:
      # Golden-ratio steps through a box around the class's colour.
      shift = (np.array([0.618, 0.382, 0.764]) * nth % 1.0 - 0.5) * 150
      color = color + shift
    colors[segment.id] = np.clip(color, 0, 255).astype(np.uint8)
  return colors


def paint(
  panoptic_map: maps.PanopticMap,
  classes: classes_lib.ClassTable,
  by_id: bool = False,
) -> np.ndarray:
  """Flat colours (see `segment_colors`): uint8 `[h, w, 3]`, void dark."""
  ids = panoptic_map.segment_ids
  image = np.full([*ids.shape, 3], VOID, np.uint8)
  colors = segment_colors(panoptic_map.segments, classes, by_id)
  for segment_id, color in colors.items():
    image[ids == segment_id] = color
  return image


def heat(values: np.ndarray) -> np.ndarray:
  """Colours of shares, black for 0 and nearly white for 1.

  Args:
    values: `[h, w]`; what is beyond 0 or 1 is drawn as these.

  Returns:
    uint8 `[h, w, 3]`.
  """
  places = np.linspace(0, 1, len(_HEAT))
  channels = [
    np.interp(values, places, channel) for channel in zip(*_HEAT, strict=True)
  ]
  return np.stack(channels, axis=-1).round().astype(np.uint8)


def boundaries(segment_ids: np.ndarray) -> np.ndarray:
  """Where a pixel's right or lower neighbour is of another segment: bool."""
  edge = np.zeros(segment_ids.shape, bool)
  edge[:, :-1] |= segment_ids[:, :-1] != segment_ids[:, 1:]
  edge[:-1] |= segment_ids[:-1] != segment_ids[1:]
  return edge


def overlay(
  image: np.ndarray,
  panoptic_map: maps.PanopticMap,
  classes: classes_lib.ClassTable,
  names: bool = True,
  min_side: int = 0,
  ids: bool = False,
  by_id: bool = False,
  max_instances: int = 0,
  notes: Mapping[int, str] | None = None,
) -> np.ndarray:
  """The image under its segments' colours, with outlines and class names.

  Args:
    image: uint8 `[h, w, 3]`.
    panoptic_map: Its segments.
    classes: The data set's table.
    names: Whether to write class names.
    min_side: Small images are enlarged to about this height, so that names can
      be read; see `enlargement`.
    ids: Whether to write segment ids after the names; with `by_id`, after those
      of things alone.
    by_id: As for `segment_colors`.
    max_instances: K of the model, if ids may have its classes in them (see
      `decode.by_class_and_id`): the ids below K are written.
    notes: By segment id, what to write after the names.

  Returns:
    uint8 `[h', w', 3]`.
  """
  factor = enlargement(image.shape[:2], min_side)
  image = enlarge(image, factor)
  segment_ids = enlarge(panoptic_map.segment_ids, factor)
  panoptic_map = panoptic_map._replace(segment_ids=segment_ids)
  colors = paint(panoptic_map, classes, by_id)
  drawn = ((image.astype(np.uint16) + colors) // 2).astype(np.uint8)
  drawn[boundaries(segment_ids)] = 255
  if not names:
    return drawn
  category_of = {category.id: category for category in classes.categories}
  texts = []
  for segment in panoptic_map.segments:
    category = category_of[segment.category_id]
    text = category.name
    if ids and (category.isthing or not by_id):
      text += f' {segment.id % (max_instances or segment.id + 1)}'
    if notes and segment.id in notes:
      text += f' {notes[segment.id]}'
    texts.append(labels.Label(text, segment_ids == segment.id))
  return labels.write(drawn, texts)


def enlargement(size: Sequence[int], min_side: int) -> int:
  """The factor by which a small image is enlarged.

  Args:
    size: Its rows and columns.
    min_side: The height to reach, in pixels; a very wide image stays lower.
  """
  height, width = size
  wanted, most = -(-min_side // height), _MOST * min_side // max(height, width)
  return max(1, min(wanted, most))


def enlarge(image: np.ndarray, factor: int) -> np.ndarray:
  """Repeats the pixels of `[h, w, ...]`."""
  return image.repeat(factor, axis=0).repeat(factor, axis=1)


def grid(rows: Sequence[Sequence[np.ndarray]], gap: int = 4) -> np.ndarray:
  """Images side by side, white between them, padded to the largest.

  Args:
    rows: uint8 `[h, w, 3]` images, row by row.
    gap: Pixels between images.

  Returns:
    uint8 `[H, W, 3]`.
  """
  height = max(image.shape[0] for row in rows for image in row)
  width = max(image.shape[1] for row in rows for image in row)
  columns = max(len(row) for row in rows)
  size = len(rows) * (height + gap) - gap, columns * (width + gap) - gap
  sheet = np.full([*size, 3], 255, np.uint8)
  for i, row in enumerate(rows):
    for j, image in enumerate(row):
      y, x = i * (height + gap), j * (width + gap)
      sheet[y : y + image.shape[0], x : x + image.shape[1]] = image
  return sheet
