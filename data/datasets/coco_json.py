"""The JSON file of COCO panoptic: read, and checked for all that is needed.

https://cocodataset.org/#format-data
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from data.reading import paths
from panoptic import classes as classes_lib
from panoptic import maps

_KEYS = {
  'images': ('id', 'file_name', 'height', 'width'),
  'annotations': ('image_id', 'file_name', 'segments_info'),
  'categories': ('id', 'name', 'isthing'),
}
# The least and the most of each number, so that int64 is never exceeded.
_NUMBERS = {
  'image_id': (-(2**62), 2**62),
  'height': (1, 2**20),
  'width': (1, 2**20),
  'frame': (0, 2**31),
  'category_id': (1, 2**20),
  'area': (0, 2**40),
  'iscrowd': (0, 1),
  'isthing': (0, 1),
}
_IDS = {
  'images': _NUMBERS['image_id'],
  'categories': _NUMBERS['category_id'],
  'segments': (1, 2**24 - 1),
}
_TEXTS = ('file_name', 'name')


def read_json(path: str) -> Mapping[str, list[Mapping[str, Any]]]:
  """Reads the file and checks that everything needed is there.

  Raises:
    PermissionError: If it may not be read.
    ValueError: If something is missing or of the wrong kind.
  """
  text = paths.read_text(path)
  try:
    content = json.loads(text)
  except ValueError as error:
    raise ValueError(f'{path} is not JSON: {error}') from error
  for section, keys in _KEYS.items():
    if not isinstance(content, dict) or section not in content:
      raise ValueError(
        f'{path} has no {section!r}: it must be a panoptic file of COCO'
      )
    _check_list(content[section], f'{path}: {section!r}')
    for entry in content[section]:
      _check_keys(
        entry, keys, f'{path}: an entry of {section!r}', _IDS.get(section)
      )
  for annotation in content['annotations']:
    where = f'{path}: a segment of image {annotation["image_id"]}'
    _check_list(
      annotation['segments_info'],
      f"{path}: 'segments_info' of image {annotation['image_id']}",
    )
    for segment in annotation['segments_info']:
      _check_keys(segment, maps.Segment._fields, where, _IDS['segments'])
  for image in content['images']:
    if 'sequence' in image:
      _check_keys(image, ('frame',), f'{path}: image {image["id"]}')
  return content


def _check_list(value: Any, where: str) -> None:
  if not isinstance(value, list):
    raise ValueError(f'{where} is {value!r}: make it a list')


def _check_keys(
  entry: Mapping[str, Any],
  keys: Sequence[str],
  where: str,
  ids: tuple[int, int] | None = None,
) -> None:
  """Checks that an entry has the keys, each of its kind; `ids` bounds 'id'."""
  if not isinstance(entry, dict):
    raise ValueError(f'{where} is {entry!r}: make it an object')
  for key in keys:
    if key not in entry:
      raise ValueError(f'{where} has no {key!r}')
    value = entry[key]
    bounds = ids if key == 'id' else _NUMBERS.get(key)
    if bounds:
      low, high = bounds
      if not isinstance(value, int) or not low <= value <= high:
        raise ValueError(
          f'{where} has {value!r} for its {key!r}: write a whole number from '
          f'{low} to {high}'
        )
    if key in _TEXTS and not (isinstance(value, str) and value):
      raise ValueError(
        f'{where} has {value!r} for its {key!r}: write a text, in quotes'
      )


def class_table(categories) -> classes_lib.ClassTable:
  """In the file's order; with the palette's colours where it has none."""
  return classes_lib.ClassTable(
    [
      classes_lib.Category(
        entry['id'],
        entry['name'],
        bool(entry['isthing']),
        _color(entry, classes_lib.palette_color(i)),
      )
      for i, entry in enumerate(categories)
    ]
  )


def _color(entry, default) -> classes_lib.Color:
  color = entry.get('color', default)
  of_three = isinstance(color, (list, tuple)) and len(color) == 3
  if not of_three or not all(c in range(256) for c in color):
    raise ValueError(
      f'category {entry["id"]} has the color {color!r}: write three whole '
      'numbers from 0 to 255, or leave it out'
    )
  return tuple(color)


def match(content) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
  """Images and their annotations, videos frame by frame, else by image id.

  Raises:
    ValueError: If they contradict each other.
  """
  images: dict[int, Mapping[str, Any]] = {}
  for image in content['images']:
    if image['id'] in images:
      raise ValueError(f'image id {image["id"]} stands twice')
    images[image['id']] = image
  annotations: dict[int, Mapping[str, Any]] = {}
  for entry in content['annotations']:
    key = entry['image_id']
    if key not in images:
      raise ValueError(f'the annotation of image {key} has no image')
    if key in annotations:
      raise ValueError(f'image {key} has two annotations')
    annotations[key] = entry
  if not annotations:
    raise ValueError('there is no annotation')
  owners: dict[str, int] = {}
  for key, entry in annotations.items():
    for name in (images[key]['file_name'], entry['file_name']):
      if owners.setdefault(name, key) != key:
        raise ValueError(
          f'images {owners[name]} and {key} share the file {name}; each needs '
          'its own'
        )

  def order(key):
    image = images[key]
    return str(image.get('sequence', '')), image.get('frame', 0), key

  return [
    (images[key], annotations[key]) for key in sorted(annotations, key=order)
  ]
