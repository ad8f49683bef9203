"""Maps of segment ids as PNGs, and what all PNGs here have in common.

A map is an 8-bit RGB picture; the id of a pixel is R + 256 G + 65536 B.
"""

import os
import struct
from typing import Any, Callable

import numpy as np
from PIL import Image

from metrics import panoptic_quality

_PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'


def png_header(path: str | os.PathLike) -> tuple[int, int, int, int]:
  """Returns height, width, bits of a channel and colour type of a PNG.

  Raises:
    FileNotFoundError: there is no such file.
    ValueError: it is not a PNG.
  """
  if not os.path.isfile(path):
    raise FileNotFoundError(f'{path} is missing; every image needs its PNG')
  with open(path, 'rb') as file:
    header = file.read(26)
  if len(header) < 26 or not header.startswith(_PNG_SIGNATURE):
    raise ValueError(f'{path} is not a PNG; write the map as a PNG')
  width, height, depth, color_type = struct.unpack('>IIBB', header[16:])
  return height, width, depth, color_type


def png_shape(path: str | os.PathLike) -> tuple[int, int]:
  """Returns (height, width) from the header alone.

  Raises:
    FileNotFoundError: there is no such file.
    ValueError: it is not an 8-bit RGB PNG. (Pillow alone would silently read
      16-bit RGB as 8-bit.)
  """
  height, width, depth, color_type = png_header(path)
  if (depth, color_type) != (8, 2):
    raise ValueError(
      f'{path} is a PNG of {depth} bits and colour type {color_type}; write '
      'the map as an 8-bit RGB PNG (colour type 2)'
    )
  return height, width


def decode_png(path: str | os.PathLike, read: Callable[[Image.Image], Any]):
  """Returns `read(image)` of a file; ValueError if its data are damaged."""
  try:
    with Image.open(path) as image:
      return read(image)
  except (OSError, SyntaxError) as error:  # What Pillow raises.
    raise ValueError(
      f'{path} is a damaged PNG ({error}); write it again'
    ) from error


def save_png(path: str | os.PathLike, image: Image.Image) -> None:
  """Writes a PNG that is whole as soon as it has its name."""
  temporary = f'{path}.tmp'
  image.save(temporary, format='PNG')
  os.replace(temporary, path)


def read_png(path: str | os.PathLike) -> np.ndarray:
  """Reads a segment map: int32 [h, w].

  Raises:
    FileNotFoundError, ValueError: as `png_shape`, or the data are damaged.
  """
  height, width = png_shape(path)
  # Four bytes a pixel, the last one padding: read as a little-endian number
  # they are the id, and no uint8 arithmetic can overflow.
  pixels = decode_png(path, lambda image: image.tobytes('raw', 'RGBX'))
  ids = np.frombuffer(pixels, '<i4').reshape(height, width)
  return ids & 0xFFFFFF


def write_png(path: str | os.PathLike, segment_ids: np.ndarray) -> None:
  """Writes a segment map, [h, w] integers in 0 .. 2**24 - 1.

  Raises:
    ValueError: the map is not integers of that range and shape.
  """
  panoptic_quality.check_map(segment_ids, str(path))
  low, high = segment_ids.min(), segment_ids.max()
  if low < 0 or high > 0xFFFFFF:
    raise ValueError(
      f'{path}: segment ids run from {low} to {high}, and a PNG holds 0 to '
      f'{0xFFFFFF}; renumber the segments'
    )
  height, width = segment_ids.shape
  four_bytes = segment_ids.astype('<u4', order='C').view(np.uint8)
  rgb = four_bytes.reshape(height, width, 4)[..., :3]
  save_png(path, Image.fromarray(np.ascontiguousarray(rgb)))
