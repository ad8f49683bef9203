"""Texts on drawings: each inside the picture, none over another."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_STROKE = 1  # Pixels of black around white letters.
_ROWS = 15  # So many rows of a segment are tried.
_GRID = 96  # Points along the longer side.

_Box = tuple[int, int, int, int]  # Left, top, right, bottom.


class Label(NamedTuple):
  """A text, and the pixels that it names: bool `[h, w]`."""

  text: str
  mask: np.ndarray


def font(height: int, width: int) -> ImageFont.FreeTypeFont:
  """A font that can be read when the whole picture is looked at."""
  longer, shorter = max(height, width), min(height, width)
  return font_of_size(max(12, min(longer // 36, shorter // 12)))


def font_of_size(size: int) -> ImageFont.FreeTypeFont:
  """The font of all drawings; `size` in pixels."""
  return ImageFont.load_default(size)  # type: ignore[return-value]


def write(image: np.ndarray, labels: Sequence[Label]) -> np.ndarray:
  """Writes each text on its pixels, or beside them where others are.

  Larger segments come first. A text that finds no free place is left out, as
  is one that is larger than the picture.

  Args:
    image: uint8 `[h, w, 3]`.
    labels: The texts.

  Returns:
    uint8 `[h, w, 3]`.
  """
  canvas = Image.fromarray(image)
  draw = ImageDraw.Draw(canvas)
  letters = font(*image.shape[:2])
  taken: list[_Box] = []
  sizes = [int(label.mask.sum()) for label in labels]
  for i in np.argsort(-np.array(sizes), kind='stable'):
    text, mask = labels[i]
    left, top, right, bottom = map(
      round, draw.textbbox((0, 0), text, letters, stroke_width=_STROKE)
    )
    box = right - left, bottom - top
    for place in _places(mask, box):
      if _is_free(place, taken):
        taken.append(place)
        draw.text(
          (place[0] - left, place[1] - top),
          text,
          fill='white',
          font=letters,
          stroke_width=_STROKE,
          stroke_fill='black',
        )
        break
  return np.asarray(canvas)


def _places(mask: np.ndarray, size: tuple[int, int]) -> Iterator[_Box]:
  """Places for a text of (width, height), the best first."""
  height, width = mask.shape
  rows = np.flatnonzero(mask.any(1))
  if not len(rows) or size[0] > width or size[1] > height:
    return
  chosen = rows[np.linspace(0, len(rows) - 1, _ROWS).astype(int)].tolist()
  runs = {y: _longest_run(mask[y]) for y in chosen}
  x, y = _innermost(mask)
  # Rows as wide as the text come before others, and near ones before far ones.
  chosen.sort(key=lambda row: (runs[row][1] < size[0], abs(row - y)))
  points = [(x, y), *((runs[row][0], row) for row in chosen)]
  points += [(x, y - size[1] - 1), (x, y + size[1] + 1)]
  for x, y in points:
    left = min(max(x - size[0] // 2, 0), width - size[0])
    top = min(max(y - size[1] // 2, 0), height - size[1])
    yield left, top, left + size[0], top + size[1]


def _innermost(mask: np.ndarray) -> tuple[int, int]:
  """(x, y) of a pixel that lies about as deep in the mask as any.

  Found by peeling, on a grid that is coarse enough for that to be quick.
  """
  stride = -(-max(mask.shape) // _GRID)
  left = np.pad(mask[::stride, ::stride], 1)
  if not left.any():  # So thin that the grid misses it.
    stride, left = 1, np.pad(mask, 1)
  peeled = left
  while peeled.any():
    left = peeled
    peeled = np.zeros_like(left)
    peeled[1:-1, 1:-1] = (
      left[1:-1, 1:-1]
      & (left[:-2, 1:-1] & left[2:, 1:-1])
      & (left[1:-1, :-2] & left[1:-1, 2:])
    )
  points = np.argwhere(left)
  distances = np.abs(points - points.mean(0)).sum(1)
  y, x = (points[distances.argmin()] - 1) * stride
  return int(x), int(y)


def _longest_run(row: np.ndarray) -> tuple[int, int]:
  """The middle and the length of the longest run of a row."""
  edges = np.flatnonzero(np.diff(np.concatenate([[0], row.view(np.int8), [0]])))
  starts, ends = edges[::2], edges[1::2]
  longest = int((ends - starts).argmax())
  start, end = int(starts[longest]), int(ends[longest])
  return (start + end) // 2, end - start


def _is_free(box: _Box, taken: Sequence[_Box]) -> bool:
  return not any(
    box[0] < other[2]
    and other[0] < box[2]
    and box[1] < other[3]
    and other[1] < box[3]
    for other in taken
  )
