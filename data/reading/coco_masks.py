"""Polygons and RLE of COCO's instances, for pycocotools.

https://cocodataset.org/#format-data
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pycocotools import mask as mask_lib


def check(segmentation: Any, size: tuple[int, int]) -> None:
  """Checks a `segmentation`, since pycocotools may crash at a malformed one.

  Args:
    segmentation: Of an annotation.
    size: Rows and columns of its image.

  Raises:
    ValueError: If it is malformed; what it is, and how to mend it.
  """
  if isinstance(segmentation, dict):
    counts = _counts(segmentation)
    if segmentation.get('size') != list(size):
      raise ValueError(
        f'an RLE of the size {segmentation.get("size")!r}, but its image is '
        f'{list(size)}: correct the one or the other'
      )
    if min(counts, default=-1) < 0 or sum(counts) != size[0] * size[1]:
      raise ValueError(
        "an RLE whose 'counts' are not those of its image's pixels: export it "
        'again'
      )
  elif isinstance(segmentation, list) and segmentation:
    for polygon in segmentation:
      _check_polygon(polygon, size)
  else:
    raise ValueError(
      'neither polygons nor an RLE for its segmentation: add them, or remove '
      'the annotation'
    )


def encode(segmentation: Any, size: tuple[int, int]) -> Mapping[str, Any]:
  """The mask of a checked `segmentation`, as `pycocotools.mask` encodes it."""
  if isinstance(segmentation, dict):
    rle = {'size': list(size), 'counts': _counts(segmentation)}
    return mask_lib.frPyObjects(rle, *size)
  return mask_lib.merge(mask_lib.frPyObjects(segmentation, *size))


def _check_polygon(polygon: Any, size: tuple[int, int]) -> None:
  """Three points or more, in the image or somewhat beyond its border."""
  numbers = isinstance(polygon, list) and all(
    isinstance(value, (int, float)) for value in polygon
  )
  if not numbers or len(polygon) < 6 or len(polygon) % 2:
    raise ValueError(
      'a polygon that is no list [x, y, x, y, ...] of three points or more: '
      'correct or remove it'
    )
  bound = 2 * max(size)
  if not np.all(np.abs(np.array(polygon, np.float64)) <= bound):
    raise ValueError(
      f'a polygon far outside of its image of {size[0]}x{size[1]} pixels: '
      'correct or remove it'
    )


def _counts(segmentation: Mapping[str, Any]) -> list[int]:
  """The lengths of an RLE's runs; in a text they are compressed."""
  counts = segmentation.get('counts')
  if isinstance(counts, list) and all(type(count) is int for count in counts):
    return counts
  if not isinstance(counts, str):
    raise ValueError(
      "an RLE whose 'counts' are neither whole numbers nor a text: export it "
      'again'
    )
  found: list[int] = []
  value = shift = 0
  for digit in (ord(letter) - 48 for letter in counts):
    value |= (digit & 31) << shift
    shift += 5
    if digit & 32:
      continue  # More digits follow.
    if digit & 16:
      value -= 1 << shift
    # From the fourth on, the difference from the run before the last.
    found.append(value + (found[-2] if len(found) > 2 else 0))
    value = shift = 0
  return found
