"""The files of video data sets' masks: writing and reading.

* DAVIS (https://davischallenge.org): 8-bit palette PNGs, named
  `<sequence>/00000.png`. The value of a pixel is the object's id; 0 is
  background and, in ground truth, 255 void. The palette is only for looking.
* KITTI-STEP (arXiv:2102.11859): 8-bit RGB PNGs, named `<sequence>/000000.png`.
  R is the class, 255 being void; the instance is 256 G + B.

Official tools read the same files.
"""

import os
import pathlib

import numpy as np
from PIL import Image

from metrics import panoptic_quality, png_maps, tubes

_GRAY, _PALETTE = 0, 3  # Colour types of PNG.


def davis_palette() -> np.ndarray:
  """The colours of DAVIS' masks, as PASCAL VOC's: uint8 [256, 3].

  Bits 0, 3, 6 of an id are the highest bits of red, bits 1, 4, 7 those of
  green and bits 2, 5 those of blue.
  """
  ids = np.arange(256)
  palette = np.zeros([256, 3], np.uint8)
  for bit in range(8):
    palette[:, bit % 3] |= ((ids >> bit & 1) << (7 - bit // 3)).astype(np.uint8)
  return palette


def davis_shape(path: str | os.PathLike) -> tuple[int, int]:
  """Returns (height, width) of a mask from the header alone.

  Raises:
    FileNotFoundError: there is no such file.
    ValueError: it is not a PNG with a palette, or of 8 bits of gray.
  """
  height, width, depth, color_type = png_maps.png_header(path)
  if color_type != _PALETTE and (depth, color_type) != (8, _GRAY):
    raise ValueError(
      f'{path} is a PNG of {depth} bits and colour type {color_type}; write '
      'the mask as a palette PNG (colour type 3), ids as values'
    )
  return height, width


def read_davis(path: str | os.PathLike) -> np.ndarray:
  """Reads the ids of a mask: uint8 [h, w].

  Raises:
    FileNotFoundError, ValueError: as `davis_shape`, or the data are damaged.
  """
  davis_shape(path)
  return png_maps.decode_png(path, np.array)


def write_davis(path: str | os.PathLike, ids: np.ndarray) -> None:
  """Writes a mask, [h, w] integers in 0..255; makes its folder.

  Raises:
    ValueError: the map is not integers of that range and shape.
  """
  panoptic_quality.check_map(ids, str(path))
  low, high = ids.min(), ids.max()
  if low < 0 or high > 255:
    raise ValueError(
      f'{path}: ids run from {low} to {high}, and a palette PNG holds 0 to '
      '255; renumber the objects'
    )
  image = Image.fromarray(np.ascontiguousarray(ids, np.uint8))
  image.putpalette(davis_palette().tobytes())
  pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
  png_maps.save_png(path, image)


def kitti_step_shape(path: str | os.PathLike) -> tuple[int, int]:
  """Returns (height, width) of a map; errors as `png_maps.png_shape`."""
  return png_maps.png_shape(path)


def read_kitti_step(path: str | os.PathLike) -> np.ndarray:
  """Reads the labels of a map: int32 [h, w], those of `tubes.KITTI_STEP`.

  Raises:
    FileNotFoundError, ValueError: as `png_maps.read_png`.
  """
  return _swap(png_maps.read_png(path))


def write_kitti_step(
  path: str | os.PathLike, class_map: np.ndarray, instance_map: np.ndarray
) -> None:
  """Writes a map; makes its folder.

  Args:
    path: the PNG.
    class_map: integers [h, w] in 0..255, 255 being void.
    instance_map: integers [h, w] in 0..65535.

  Raises:
    ValueError: the maps are not integers of those ranges and one shape.
  """
  for ids, what in ((class_map, 'classes'), (instance_map, 'instances')):
    panoptic_quality.check_map(ids, f'{path}, {what}')
  low, high = class_map.min(), class_map.max()
  if low < 0 or high > 255:
    raise ValueError(
      f'{path}: classes run from {low} to {high}, and the PNG holds 0 to 255; '
      'map them to the train ids of the data set'
    )
  labels = tubes.KITTI_STEP.labels(class_map, instance_map, str(path))
  pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
  png_maps.write_png(path, _swap(labels))


def _swap(values: np.ndarray) -> np.ndarray:
  """Turns R + 256 G + 65536 B into 65536 R + 256 G + B, and back."""
  return (values & 255) << 16 | values & 0xFF00 | values >> 16
