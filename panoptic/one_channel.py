"""Masks of COCO's format that have one channel instead of three.

Many tools write them: gray values or palette indices that are the ids. If all
values are 0 or segment ids of the annotation, they are taken as the ids. Else
the colours are: a tool may have stored colours of equal R, G and B as gray, and
a palette may hold the colours of COCO's format.
"""

from collections.abc import Collection

import numpy as np
from PIL import Image

from panoptic import maps

MESSAGE = (
  'the mask has one channel where three are expected (R + 256 G + 65536 B), '
  'and {}: save it as 8-bit RGB, or write the ids as its values'
)
_GRAY, _PALETTE, _GRAY_ALPHA = 0, 3, 4  # Colour types of PNG.


def may_hold_ids(depth, color_type):
  """Whether a PNG has one channel, whose values may be ids.

  Args:
    depth: Bits a channel; a number or an integer tensor.
    color_type: PNG's; a number or an integer tensor.
  """
  # Of gray with alpha, Pillow keeps 8 bits.
  with_alpha = (color_type == _GRAY_ALPHA) & (depth == 8)
  return (color_type == _PALETTE) | (color_type == _GRAY) | with_alpha


def color_ids(image: Image.Image) -> np.ndarray:
  """R + 256 G + 65536 B of an open image: int32 `[h, w]`."""
  # Four bytes a pixel, the last one padding: read as a little-endian number
  # they are the id, and no uint8 arithmetic can overflow.
  rgb = image if image.mode == 'RGB' else image.convert('RGB')
  raw = rgb.tobytes('raw', 'RGBX')
  ids = np.frombuffer(raw, '<i4').reshape(image.height, image.width)
  return ids & 0xFFFFFF


def values_of(image: Image.Image, depth: int) -> np.ndarray:
  """The pixels of an open PNG, gray ones as they are stored.

  Args:
    image: The PNG.
    depth: Its bits a channel.
  """
  values = np.asarray(image)
  if image.mode == 'L' and depth < 8:  # Pillow stretches these to 0..255.
    values = values // (255 // (2**depth - 1))
  return values


def decode_ids(
  image: Image.Image,
  depth: int,
  color_type: int,
  segment_ids: Collection[int],
) -> np.ndarray:
  """Segment ids of an open PNG of one channel: int32 `[h, w]`.

  Args:
    image: The PNG.
    depth: Its bits a channel.
    color_type: PNG's.
    segment_ids: Those of the annotation.

  Raises:
    ValueError: If neither values nor colours are segment ids; a clause without
      the file.
  """
  values = values_of(image, depth)
  if values.ndim == 3:  # With alpha.
    values = values[..., 0]
  values = values.astype(np.int32)
  known = [maps.VOID, *segment_ids]
  others = np.setdiff1d(values, known)
  if not others.size:
    return values
  if depth <= 8:  # Of 16 bits, colours would be cut.
    ids = color_ids(image)
    if np.isin(np.unique(ids), known).all():
      return ids
  kind = 'palette index' if color_type == _PALETTE else 'gray value'
  raise ValueError(
    MESSAGE.format(f'the {kind} {others[0]} is no segment id of the annotation')
  )
