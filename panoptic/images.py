"""Image files: opened in one place, below one limit, and shown upright.

A camera stores an image as its sensor lay, and EXIF's tag "Orientation" says
how to turn it. Masks are drawn on the upright image; so wherever an image is
read, its size and pixels are those of the upright image.
"""

import io
import os
import struct
from typing import IO

from PIL import Image, PngImagePlugin

# Of the names of image files.
ENDINGS = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')
MAX_PIXELS = 100_000_000  # Of an image or a mask: 10,000 x 10,000.
# Pillow's own limit warns, or raises what is no ValueError, without the size.
Image.MAX_IMAGE_PIXELS = None

MEND_TURN = (
  'write the size and draw the mask as the image is shown, or save it upright '
  'without that tag'
)
ORIENTATION = 0x0112  # EXIF's tag; 1 is upright, 5 to 8 swap rows and columns.
SHORT = 3  # EXIF's type of 16 bits, which the tag has.
TIFF = {b'II*\0': '<', b'MM\0*': '>'}  # The byte orders of EXIF.
_TAIL = 2**17  # Bytes at a PNG's end that are searched for EXIF.

_TURNS = {
  2: Image.Transpose.FLIP_LEFT_RIGHT,
  3: Image.Transpose.ROTATE_180,
  4: Image.Transpose.FLIP_TOP_BOTTOM,
  5: Image.Transpose.TRANSPOSE,
  6: Image.Transpose.ROTATE_270,
  7: Image.Transpose.TRANSVERSE,
  8: Image.Transpose.ROTATE_90,
}


def open_image(file: bytes | IO[bytes]) -> Image.Image:
  """Opens an image, of which only the header is read.

  Args:
    file: The content, or a file at its start.

  Raises:
    OSError, SyntaxError: If it is no image, or a broken one.
    ValueError: If it has too many pixels; a clause without the file.
  """
  image = Image.open(io.BytesIO(file) if isinstance(file, bytes) else file)
  try:
    check_size(image.height, image.width)
  except ValueError:
    image.close()
    raise
  return image


def check_size(height: int, width: int) -> None:
  """Raises ValueError above `MAX_PIXELS`; a clause without the file."""
  if height * width > MAX_PIXELS:
    raise ValueError(
      f'it has {height}x{width} pixels, and {MAX_PIXELS:,} are the most that '
      'are read: make image and mask smaller, or cut both into parts'
    )


def orientation(image: Image.Image) -> int:
  """EXIF's orientation of an open image, 1 to 8; 1 where it has none.

  Pillow would decode a whole PNG to find EXIF behind its pixels.
  """
  exif = image.info.get('exif', b'')
  if not exif and isinstance(image, PngImagePlugin.PngImageFile) and image.fp:
    exif = _exif_at_end(image.fp)
  return _orientation_in(exif.removeprefix(b'Exif\0\0'))


def _exif_at_end(file: IO[bytes]) -> bytes:
  """EXIF in a chunk of a PNG that follows its pixels; b'' if there is none."""
  position = file.tell()
  end = file.seek(0, os.SEEK_END) or file.tell()
  file.seek(max(position, end - _TAIL))
  tail = file.read()
  file.seek(position)
  for start in TIFF:
    _, found, rest = tail.partition(b'eXIf' + start)
    if found:
      return start + rest
  return b''


def _orientation_in(exif: bytes) -> int:
  """The orientation in EXIF, which starts as TIFF does."""
  order = TIFF.get(exif[:4])
  if order is None:
    return 1
  try:
    (start,) = struct.unpack_from(f'{order}I', exif, 4)
    (count,) = struct.unpack_from(f'{order}H', exif, start)
    for i in range(count):
      place = start + 2 + 12 * i
      *entry, value = struct.unpack_from(f'{order}HHIH', exif, place)
      if entry == [ORIENTATION, SHORT, 1]:
        return value if value in _TURNS else 1
  except struct.error:
    pass  # It is cut short.
  return 1


def upright_size(image: Image.Image, turn: int) -> tuple[int, int]:
  """Rows and columns of an open image as it is shown.

  Args:
    image: The image.
    turn: Its `orientation`.
  """
  size = image.height, image.width
  return size if turn < 5 else size[::-1]


def upright(image: Image.Image) -> Image.Image:
  """An open image as it is shown."""
  method = _TURNS.get(orientation(image))
  return image if method is None else image.transpose(method)
