"""Pictures that a notebook shows as the value of a cell."""

import io
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from panoptic import png
from panoptic.drawing import draw, sheets

_SIDE = 192  # Pixels: small images are drawn at least this large.


class Picture:
  """An image that a notebook shows.

  Attributes:
    pixels: uint8 `[h, w, 3]`.
  """

  def __init__(self, pixels: np.ndarray):
    """Keeps the pixels."""
    self.pixels = pixels

  def __repr__(self) -> str:
    height, width = self.pixels.shape[:2]
    return f'Picture of {height}x{width} pixels'

  def _repr_png_(self) -> bytes:
    return png.encode(Image.fromarray(self.pixels), optimize=True)


def row(
  images: Sequence[np.ndarray],
  titles: Sequence[str],
  entries: Sequence[sheets.Entry] = (),
  min_side: int = _SIDE,
) -> Picture:
  """Images side by side, each under its title, over a legend.

  Args:
    images: uint8 `[h, w, 3]`; small ones are enlarged.
    titles: As many.
    entries: Of the legend.
    min_side: The height to enlarge to, about; see `draw.enlargement`.
  """
  return sheet([images], titles, entries, min_side)


def sheet(
  rows: Sequence[Sequence[np.ndarray]],
  titles: Sequence[str],
  entries: Sequence[sheets.Entry] = (),
  min_side: int = _SIDE,
) -> Picture:
  """As `row`, of several rows whose columns have the titles."""
  enlarged = [
    [
      draw.enlarge(image, draw.enlargement(image.shape[:2], min_side))
      for image in images
    ]
    for images in rows
  ]
  return Picture(sheets.sheet(enlarged, titles, entries))


def animation(frames: Iterable[np.ndarray], milliseconds: int = 150) -> bytes:
  """An animated GIF without end, of 256 colours a frame.

  Args:
    frames: uint8 `[h, w, 3]`, at least one, of one size.
    milliseconds: For which each is shown; GIF counts in tens.
  """
  first, *others = [Image.fromarray(frame).quantize() for frame in frames]
  content = io.BytesIO()
  first.save(
    content,
    format='GIF',
    save_all=True,
    append_images=others,
    duration=milliseconds,
    loop=0,
  )
  return content.getvalue()
