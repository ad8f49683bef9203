"""Ids of images: whole numbers in COCO, texts in Cityscapes.

`1` and `"1"` are one id, however a file writes it.
"""

import json
import operator
from collections.abc import Iterable
from typing import Any

from panoptic import natural_order

ImageId = int | str
# Beyond, other tools' integers of 64 bits overflow.
LOWEST, HIGHEST = -(2**62), 2**62
RULE = f'a whole number from {LOWEST} to {HIGHEST}, or a text'


def parse(value: Any) -> ImageId:
  """Returns an id; ValueError if it is no whole number and no text."""
  if isinstance(value, str) and value:
    return value
  if isinstance(value, float) and value.is_integer():
    value = int(value)
  try:
    number = operator.index(value)
  except TypeError:
    number = None
  if number is None or value is True or value is False:
    raise ValueError(f'{value!r} is no image id: write {RULE}')
  if not LOWEST <= number <= HIGHEST:
    raise ValueError(f'{value!r} is no image id: write {RULE}')
  return number


def from_name(stem: str) -> ImageId:
  """The id that the name of an image says.

  Args:
    stem: The name without its ending.

  Returns:
    The number where the name is one, as 139 for '000000000139'; else the name.
  """
  if natural_order.is_number(stem):
    # 19 digits may exceed 64 bits already.
    digits = stem.lstrip('0') or '0'
    if len(digits) < 19:
      return int(digits)
  return stem


def two_spellings(ids: Iterable[ImageId]) -> tuple[ImageId, ImageId] | None:
  """The first number and text that are one id, or None if there are none."""
  texts: dict[str, ImageId] = {}
  for image_id in ids:
    known = texts.setdefault(str(image_id), image_id)
    if type(known) is not type(image_id):
      return known, image_id
  return None


def dumps(ids: Iterable[ImageId]) -> list[str]:
  """Ids as JSON, one text each, which tells `1` from `"1"`."""
  return [json.dumps(image_id) for image_id in ids]


def loads(texts: Iterable[str]) -> tuple[ImageId, ...]:
  """Reads what `dumps` wrote."""
  return tuple(json.loads(text) for text in texts)
