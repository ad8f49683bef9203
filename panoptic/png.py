"""Label PNGs: segment ids in the pixels of COCO, Cityscapes, KITTI-STEP, DAVIS.

A file's channels are the digits of a segment's id, lowest first:

* COCO: 8-bit RGB, id = R + 256 G + 65536 B; 0 is void.
* KITTI-STEP (arXiv 2102.11859): 8-bit RGB. R is the class, 255 for void, and
  256 G + B the instance. Since R = 0 is a class, id = 1 + R + 256 G + 65536 B.
* Cityscapes: 16 bits of gray, `*_instanceIds.png`.
* DAVIS (https://davischallenge.org): 8 bits with a palette, which is for
  looking only; the value of a pixel is the object's id.

Tools also write COCO's masks with one channel; see `panoptic.one_channel`.
"""

import io
import os
import struct
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from PIL import Image

from panoptic import files, images, maps, one_channel

BROKEN = 'the file is broken or cut short; fetch it again'
DEPTH = (
  'the PNG has another bit depth than its data set; save it with {} bits a '
  'channel'
)
_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_GRAY, _RGB, _PALETTE = 0, 2, 3  # Colour types of PNG.


class Encoding(NamedTuple):
  """How pixels hold segment ids.

  Attributes:
    name: For messages.
    weights: The factor of each channel, 1 or 3 of them.
    bits: 8 or 16, of a channel.
    offset: Added to every id, where 0 is not void but a segment.
    colors: The palette to write, bytes of RGB; b'': none.
  """

  name: str
  weights: tuple[int, ...]
  bits: int
  offset: int = 0
  colors: bytes = b''

  @property
  def channels(self) -> int:
    return len(self.weights)


def _davis_colors() -> bytes:
  """The palette of DAVIS, as PASCAL VOC's: 256 colours.

  Bits 0, 3, 6 of an id are the highest bits of red, bits 1, 4, 7 those of
  green and bits 2, 5 those of blue.
  """
  ids = np.arange(256)
  palette = np.zeros([256, 3], np.uint8)
  for bit in range(8):
    palette[:, bit % 3] |= ((ids >> bit & 1) << (7 - bit // 3)).astype(np.uint8)
  return palette.tobytes()


COCO = Encoding('R + 256 G + 65536 B', (1, 256, 65536), 8)
KITTI_STEP = Encoding(
  'class in R, instance in G and B', (1, 256, 65536), 8, offset=1
)
CITYSCAPES = Encoding('16 bits of gray', (1,), 16)
DAVIS = Encoding('8 bits with a palette', (1,), 8, colors=_davis_colors())


class Header(NamedTuple):
  """The start of a PNG: its size, and its pixels' format."""

  height: int
  width: int
  depth: int  # Bits a channel.
  color_type: int


def header(content: bytes) -> Header | None:
  """The header of a PNG, from its first 26 bytes or more; None for another."""
  if len(content) < 26 or not content.startswith(_SIGNATURE):
    return None
  width, height, depth, color_type = struct.unpack('>IIBB', content[16:26])
  return Header(height, width, depth, color_type)


def size_of(
  path: str | os.PathLike, encoding: Encoding, annotated: bool = False
) -> tuple[int, int]:
  """Returns (height, width) of a label PNG from its header alone.

  Args:
    path: Of the PNG.
    encoding: Of its pixels.
    annotated: Whether an annotation states the ids, so that one channel will do
      where three are expected.

  Raises:
    FileNotFoundError: If there is no such file.
    ValueError: If it is not a PNG as the data set's tools write it, or too
      large. (Pillow alone would read 16-bit RGB as 8-bit without a word.)
  """
  if not files.is_file(path):
    raise FileNotFoundError(f'{path} is missing; every image needs its PNG')
  with files.open_file(path) as file:
    head = header(file.read(26))
  if head is None:
    raise ValueError(f'{path} is not a PNG; write the map as a PNG')
  form = head.depth, head.color_type
  if encoding.channels == 3:
    correct, fix = form == (8, _RGB), 'map as an 8-bit RGB PNG (colour type 2)'
    correct |= annotated and one_channel.may_hold_ids(*form)
  else:
    correct = form == (encoding.bits, _GRAY)
    fix = f'mask as a gray PNG of {encoding.bits} bits (colour type 0)'
    if encoding.bits == 8:
      correct |= head.color_type == _PALETTE
      fix = 'mask as a palette PNG (colour type 3), ids as values'
  if not correct:
    raise ValueError(
      f'{path} is a PNG of {head.depth} bits and colour type '
      f'{head.color_type}; write the {fix}'
    )
  try:
    images.check_size(head.height, head.width)
  except ValueError as error:
    raise ValueError(f'{path}: {error}') from error
  return head.height, head.width


def fits(depth, encoding: Encoding):
  """Whether a PNG of so many bits a channel can hold such labels.

  Args:
    depth: A number or an integer tensor.
    encoding: The labels'.
  """
  # Palettes and gray of few bits are 8 bits in all but their packing.
  return (depth == encoding.bits) | ((depth < 8) & (encoding.bits == 8))


def decode_ids(
  content: bytes,
  encoding: Encoding,
  segment_ids: Collection[int] | None = None,
) -> np.ndarray:
  """Segment ids of a whole PNG: uint8 (DAVIS) or int32 `[h, w]`.

  Args:
    content: The file.
    encoding: Of its pixels.
    segment_ids: Those of the annotation, which say what a mask of one channel
      means; None: its colours are the ids.

  Raises:
    ValueError: If it is no such PNG; a clause that does not name the file.
  """
  try:
    with images.open_image(content) as image:
      if image.format != 'PNG':
        raise ValueError(
          f'the labels are a {image.format}, which may have changed them; '
          'save them as PNG'
        )
      if b'IEND' not in content:  # Pillow accepts some files that are cut.
        raise ValueError(BROKEN)
      depth, color_type = content[24], content[25]
      if (
        encoding == COCO
        and segment_ids is not None
        and one_channel.may_hold_ids(depth, color_type)
      ):
        return one_channel.decode_ids(image, depth, color_type, segment_ids)
      if not fits(depth, encoding):
        raise ValueError(DEPTH.format(encoding.bits))
      if encoding.channels == 3:
        ids = one_channel.color_ids(image)
        ids += encoding.offset
        return ids
      ids = one_channel.values_of(image, depth)
  except (OSError, SyntaxError) as error:
    raise ValueError(BROKEN) from error
  if ids.ndim != 2:
    raise ValueError(
      'the labels have colours; they must be one channel, whose values are ids'
    )
  return ids.astype(np.uint8 if encoding.bits == 8 else np.int32)


def read_ids(
  path: str | os.PathLike,
  encoding: Encoding,
  segment_ids: Collection[int] | None = None,
) -> np.ndarray:
  """Segment ids of a file, as `decode_ids`; the errors name it.

  Raises:
    FileNotFoundError: If there is no such file.
    ValueError: If it is no such PNG (see `size_of`), or damaged.
  """
  size_of(path, encoding, annotated=segment_ids is not None)
  content = files.read_bytes(path)
  try:
    return decode_ids(content, encoding, segment_ids)
  except ValueError as error:
    damaged = ' is a damaged PNG' if str(error) == BROKEN else ''
    raise ValueError(f'{path}{damaged}: {error}') from error


def write_ids(
  path: str | os.PathLike, segment_ids: np.ndarray, encoding: Encoding
) -> None:
  """Writes segment ids `[h, w]`; makes the folder.

  Raises:
    ValueError: If the map is not integers of a range that the PNG can hold.
  """
  maps.check_map(segment_ids, str(path))
  low, high = int(segment_ids.min()), int(segment_ids.max())
  largest = 2 ** (encoding.channels * encoding.bits) - 1 + encoding.offset
  if low < encoding.offset or high > largest:
    raise ValueError(
      f'{path}: segment ids run from {low} to {high}, and a PNG '
      f'({encoding.name}) holds {encoding.offset} to {largest}; renumber the '
      'segments'
    )
  if encoding.channels == 3:
    digits = (segment_ids - encoding.offset).astype('<u4', order='C')
    rgb = digits.view(np.uint8).reshape(*segment_ids.shape, 4)[..., :3]
    image = Image.fromarray(np.ascontiguousarray(rgb))
  else:
    dtype = np.uint16 if encoding.bits == 16 else np.uint8
    image = Image.fromarray(np.ascontiguousarray(segment_ids, dtype))
    if encoding.colors:
      image.putpalette(encoding.colors)
  save(path, image)


def kitti_step_ids(
  class_map: np.ndarray, instance_map: np.ndarray, where: str
) -> np.ndarray:
  """The segment ids of KITTI-STEP's classes and instances: int32 `[h, w]`.

  Args:
    class_map: Integers `[h, w]` in 0..255, train ids; 255 is void.
    instance_map: Integers `[h, w]` in 0..65535.
    where: Names the maps in errors.

  Raises:
    ValueError: If the maps are not integers of those ranges and one size.
  """
  for values, name, high in (
    (class_map, 'classes', 255),
    (instance_map, 'instance ids', 65535),
  ):
    maps.check_map(values, f'{where}, {name}')
    if values.min() < 0 or values.max() > high:
      raise ValueError(
        f'{where}: {name} run from {values.min()} to {values.max()}, and the '
        f'PNG holds 0 to {high}; renumber them'
      )
  if class_map.shape != instance_map.shape:
    raise ValueError(
      f'{where}: the classes are {list(class_map.shape)} and the instances '
      f'{list(instance_map.shape)} pixels; give two maps of one size'
    )
  red, instance = class_map.astype(np.int32), instance_map.astype(np.int32)
  green, blue = instance >> 8, instance & 255
  return KITTI_STEP.offset + red + (green << 8) + (blue << 16)


def encode(image: Image.Image, optimize: bool = False) -> bytes:
  """The bytes of a PNG; `optimize` makes them fewer, and takes longer."""
  content = io.BytesIO()
  image.save(content, format='PNG', optimize=optimize)
  return content.getvalue()


def save(path: str | os.PathLike, image: Image.Image) -> None:
  """Writes an image as a PNG, which is whole as soon as it has its name."""
  files.make_folders(os.path.dirname(path) or '.')
  files.write_bytes(path, encode(image))
