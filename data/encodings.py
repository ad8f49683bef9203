"""How label files hold segment ids in their pixels."""

import io
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from data import blobs


class Encoding(NamedTuple):
  """Channels of a PNG, read as the digits of a segment's id, lowest first.

  Attributes:
    name: For messages.
    channels: 1 or 3.
    bits: 8 or 16, of a channel.
    offset: Added to every id, where 0 is not void but a segment.
  """

  name: str
  channels: int
  bits: int
  offset: int = 0


# COCO: id = R + 256 G + 65536 B; 0 is void.
RGB = Encoding('R + 256 G + 65536 B', 3, 8)
# KITTI-STEP: R is the class, and 0 is road; id = 1 + R + 256 G + 65536 B.
CLASS_AND_TRACK = Encoding('class in R, track in G and B', 3, 8, offset=1)
# Cityscapes: *_instanceIds.png.
GRAY16 = Encoding('16 bits of grey', 1, 16)
# DAVIS: colour numbers of a palette.
GRAY8 = Encoding('8 bits of grey', 1, 8)

ALL = (RGB, CLASS_AND_TRACK, GRAY16, GRAY8)


def fits(depth, encoding: Encoding):
  """Whether a PNG of so many bits a channel can hold such labels."""
  # Palettes and grey of few bits are 8 bits in all but their packing.
  return (depth == encoding.bits) | ((depth < 8) & (encoding.bits == 8))


def decode(content: tf.Tensor, encoding: Encoding) -> tf.Tensor:
  """The pixels of a whole PNG: uint8 or uint16 `[h0, w0, channels]`."""
  dtype = tf.uint16 if encoding.bits == 16 else tf.uint8
  return tf.io.decode_png(content, channels=encoding.channels, dtype=dtype)


def segment_ids(pixels: tf.Tensor, encoding: Encoding) -> tf.Tensor:
  """Pixels `[..., channels]` to segment ids int32 `[...]`."""
  pixels = tf.cast(pixels, tf.int32)
  ids = pixels[..., 0] + encoding.offset
  for channel in range(1, encoding.channels):
    ids += pixels[..., channel] * 256**channel
  return ids


def read_segment_ids(content: bytes, encoding: Encoding) -> np.ndarray:
  """Segment ids int32 `[h0, w0]` of a PNG, on the host.

  Raises:
    ValueError: If it is no such PNG; a clause that does not name the file.
  """
  try:
    with Image.open(io.BytesIO(content)) as picture:
      if picture.format != 'PNG':
        raise ValueError(
          f'the labels are a {picture.format}, which may have changed them; '
          'save them as PNG'
        )
      blobs.require_whole(content)
      if not fits(content[24], encoding):
        raise ValueError(blobs.DEPTH.format(encoding.bits))
      if encoding.channels == 3:
        pixels = np.asarray(picture.convert('RGB'), np.int32)
      else:
        pixels = np.asarray(picture, np.int32)
  except (OSError, SyntaxError) as error:
    raise ValueError(blobs.BROKEN) from error
  if pixels.ndim == 2:
    return pixels + encoding.offset
  if encoding.channels == 1:
    raise ValueError(
      'the labels have colours; they must be one channel, whose values are ids'
    )
  return pixels @ np.array([1, 256, 65536], np.int32) + encoding.offset


def areas(ids: np.ndarray) -> tuple:
  """The ids of a map, ascending, and the pixels of each.

  By runs of equal pixels, of which a map has few: a tenth of the time that
  sorting all pixels takes.
  """
  flat = ids.ravel()
  starts = np.flatnonzero(np.diff(flat, prepend=flat[0] - 1))
  lengths = np.diff(starts, append=flat.size)
  values, run_of = np.unique(flat[starts], return_inverse=True)
  return values, np.bincount(run_of, lengths).astype(np.int64)
