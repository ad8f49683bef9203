"""Pictures of panoptic maps, for people."""

from typing import Any, Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from panoptic import classes as classes_lib

_VOID = (40, 40, 40)


def segment_colors(
  segments: Sequence[Mapping[str, Any]],
  classes: classes_lib.ClassTable,
  by_id: bool = False,
) -> Mapping[int, np.ndarray]:
  """A colour for every segment: its class's, varied from thing to thing.

  Args:
    segments: dictionaries with 'id' and 'category_id'.
    classes: the data set's table.
    by_id: whether the colour of a thing is that of its id alone, so that it is
      the same in all frames of a video; stuff is darker then.

  Returns:
    uint8 `[3]` by segment id.
  """
  category_of = {category.id: category for category in classes.categories}
  seen = {}
  colors = {}
  for segment in segments:
    category = category_of[segment['category_id']]
    nth = seen[category.id] = seen.get(category.id, -1) + 1
    color = np.array(category.color, np.float64)
    if by_id and category.isthing:
      color = np.array(classes_lib.palette_color(segment['id']))
    elif by_id:  # Dark, or it might look like a thing.
      color = color / 3
    elif category.isthing and nth:
      # Golden-ratio steps through a box around the class's colour.
      shift = (np.array([0.618, 0.382, 0.764]) * nth % 1.0 - 0.5) * 150
      color = color + shift
    colors[segment['id']] = np.clip(color, 0, 255).astype(np.uint8)
  return colors


def paint(
  segment_ids: np.ndarray,
  segments: Sequence[Mapping[str, Any]],
  classes: classes_lib.ClassTable,
  by_id: bool = False,
) -> np.ndarray:
  """Flat colours (see `segment_colors`): uint8 `[h, w, 3]`, void dark."""
  picture = np.full([*segment_ids.shape, 3], _VOID, np.uint8)
  for segment_id, color in segment_colors(segments, classes, by_id).items():
    picture[segment_ids == segment_id] = color
  return picture


def boundaries(segment_ids: np.ndarray) -> np.ndarray:
  """Where a pixel's right or lower neighbour is of another segment: bool."""
  edge = np.zeros(segment_ids.shape, bool)
  edge[:, :-1] |= segment_ids[:, :-1] != segment_ids[:, 1:]
  edge[:-1] |= segment_ids[:-1] != segment_ids[1:]
  return edge


def overlay(
  image: np.ndarray,
  segment_ids: np.ndarray,
  segments: Sequence[Mapping[str, Any]],
  classes: classes_lib.ClassTable,
  names: bool = True,
  min_side: int = 0,
  ids: bool = False,
  by_id: bool = False,
) -> np.ndarray:
  """The image under its segments' colours, with outlines and class names.

  Args:
    image: uint8 `[h, w, 3]`.
    segment_ids: integers `[h, w]`.
    segments: dictionaries with 'id' and 'category_id'.
    classes: the data set's table.
    names: whether to write class names.
    min_side: small pictures are enlarged to about this height, so that names
      can be read.
    ids: whether to write segment ids after the names.
    by_id: as for `segment_colors`.

  Returns:
    uint8 `[h', w', 3]`.
  """
  factor = max(1, -(-min_side // image.shape[0]))
  image = enlarge(image, factor)
  segment_ids = enlarge(segment_ids, factor)
  colors = paint(segment_ids, segments, classes, by_id)
  picture = (image.astype(np.uint16) + colors) // 2
  picture = picture.astype(np.uint8)
  picture[boundaries(segment_ids)] = 255
  if not names:
    return picture
  canvas = Image.fromarray(picture)
  draw = ImageDraw.Draw(canvas)
  font = ImageFont.load_default(max(10, image.shape[0] // 40))
  category_of = {category.id: category for category in classes.categories}
  for segment in segments:
    y, x = _inner_point(segment_ids == segment['id'])
    name = category_of[segment['category_id']].name
    draw.text(
      (x, y),
      f'{name} {segment["id"]}' if ids else name,
      fill='white',
      font=font,
      anchor='mm',
      stroke_width=1,
      stroke_fill='black',
    )
  return np.asarray(canvas)


def enlarge(picture: np.ndarray, factor: int) -> np.ndarray:
  """Repeats the pixels of `[h, w, ...]`."""
  return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def grid(rows: Sequence[Sequence[np.ndarray]], gap: int = 4) -> np.ndarray:
  """Pictures side by side, white between them, padded to the largest.

  Args:
    rows: uint8 `[h, w, 3]` pictures, row by row.
    gap: pixels between pictures.

  Returns:
    uint8 `[H, W, 3]`.
  """
  height = max(p.shape[0] for row in rows for p in row)
  width = max(p.shape[1] for row in rows for p in row)
  columns = max(len(row) for row in rows)
  sheet = np.full(
    [
      len(rows) * (height + gap) - gap,
      columns * (width + gap) - gap,
      3,
    ],
    255,
    np.uint8,
  )
  for i, row in enumerate(rows):
    for j, picture in enumerate(row):
      y, x = i * (height + gap), j * (width + gap)
      sheet[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
  return sheet


def _inner_point(mask: np.ndarray):
  """A pixel of the mask that is near the middle of its widest row."""
  rows = mask.sum(1)
  y = int(rows.argmax())
  columns = np.flatnonzero(mask[y])
  return y, int(columns[len(columns) // 2])
