"""The JSON files of COCO: read, and checked for all that is needed.

https://cocodataset.org/#format-data
"""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from data.reading import paths
from panoptic import classes as classes_lib
from panoptic import image_ids, maps, natural_order

_KEYS = {
  'images': ('id', 'file_name', 'height', 'width'),
  'annotations': ('image_id', 'file_name', 'segments_info'),
  'categories': ('id', 'name', 'isthing'),
}
_INSTANCE_KEYS = {
  'images': _KEYS['images'],
  'annotations': ('image_id', 'category_id', 'segmentation'),
  'categories': ('id', 'name'),
}
# The least and the most of each number, so that int64 is never exceeded.
_NUMBERS = {
  'height': (1, 2**20),
  'width': (1, 2**20),
  'frame': (0, 2**31),
  'category_id': (1, 2**20),
  'area': (0, 2**40),
  'iscrowd': (0, 1),
  'isthing': (0, 1),
}
_IDS = {
  'categories': _NUMBERS['category_id'],
  'segments': (1, 2**24 - 1),
}
_TEXTS = ('file_name', 'name')
# Keys of the ids of images, by section.
_IMAGE_IDS = {'images': 'id', 'annotations': 'image_id'}


def read_json(path: str) -> Mapping[str, list[Mapping[str, Any]]]:
  """Reads a panoptic file and checks that everything needed is there.

  Raises:
    PermissionError: If it may not be read.
    ValueError: If something is missing or of the wrong kind.
  """
  content = _load(path)
  if _is_of_instances(content):
    folder, name = os.path.split(path)
    renamed = name.replace('panoptic', 'instances', 1)
    split = name.removeprefix('panoptic_').removesuffix('.json')
    raise ValueError(
      f"{path} is in COCO's format of instances, without segments_info: rename "
      f'it to {renamed}, and convert it by '
      + conversion(
        os.path.join(folder, renamed), os.path.dirname(folder), split
      )
    )
  _check_sections(content, _KEYS, path, 'a panoptic file of COCO')
  for annotation in content['annotations']:
    where = f'{path}: a segment of image {annotation["image_id"]}'
    _check_list(
      annotation['segments_info'],
      f"{path}: 'segments_info' of image {annotation['image_id']}",
    )
    for segment in annotation['segments_info']:
      _check_keys(segment, maps.Segment._fields, where, _IDS['segments'])
  _check_sequences(content['images'], path)
  return content


def read_instances(path: str) -> Mapping[str, list[Mapping[str, Any]]]:
  """Reads a file of instances; `segmentation` is not checked.

  Raises:
    PermissionError: If it may not be read.
    ValueError: If something is missing or of the wrong kind.
  """
  content = _load(path)
  kind = "a file of COCO's instances, with polygons or RLE"
  _check_sections(content, _INSTANCE_KEYS, path, kind)
  for annotation in content['annotations']:
    if 'iscrowd' in annotation:
      where = f'{path}: an annotation of image {annotation["image_id"]}'
      _check_keys(annotation, ('iscrowd',), where)
  return content


def conversion(instances: str, folder: str, split: str) -> str:
  """The command that makes a panoptic file of one of instances."""
  return (
    f'python -m data.instances_to_panoptic --instances={instances} '
    f'--dir={folder} --split={split}'
  )


def _load(path: str) -> Any:
  text = paths.read_text(path)
  try:
    return json.loads(text)
  except ValueError as error:
    raise ValueError(f'{path} is not JSON: {error}') from error


def _is_of_instances(content: Any) -> bool:
  """Whether the first annotation is one object, not all of an image."""
  annotations = isinstance(content, dict) and content.get('annotations')
  if not isinstance(annotations, list) or not annotations:
    return False
  first = annotations[0]
  return (
    isinstance(first, dict)
    and 'segments_info' not in first
    and bool({'segmentation', 'bbox'} & first.keys())
  )


def _check_sections(
  content: Any, needed: Mapping[str, Sequence[str]], path: str, kind: str
) -> None:
  """Checks that all sections are lists of entries with the keys needed."""
  for section, keys in needed.items():
    if not isinstance(content, dict) or section not in content:
      raise ValueError(f'{path} has no {section!r}: it must be {kind}')
    _check_list(content[section], f'{path}: {section!r}')
    where = f'{path}: an entry of {section!r}'
    for entry in content[section]:
      _check_keys(entry, keys, where, _IDS.get(section))
    if section in _IMAGE_IDS:
      _check_image_ids(content[section], _IMAGE_IDS[section], where)


def sequence_of(image: Mapping[str, Any]) -> str:
  """The video of an image; '' if it is of none."""
  sequence = image.get('sequence')
  return '' if sequence is None else str(sequence)


def frame_of(image: Mapping[str, Any]) -> int:
  """The number of a frame in its video."""
  frame = image.get('frame')
  return frame if isinstance(frame, int) else 0


def _check_sequences(images: Sequence[Mapping[str, Any]], path: str) -> None:
  """Checks the frames of videos, whose names are texts or numbers."""
  values: dict[str, Any] = {}
  for image in images:
    sequence = image.get('sequence')
    if sequence is None:
      continue
    where = f'{path}: image {image["id"]}'
    if isinstance(sequence, bool) or not isinstance(sequence, (str, int)):
      raise ValueError(
        f"{where} has {sequence!r} for its 'sequence': write the video's name, "
        'in quotes, or its number'
      )
    other = values.setdefault(str(sequence), sequence)
    if other != sequence:
      raise ValueError(
        f"{where} has {sequence!r} for its 'sequence', but another has "
        f'{other!r}: write it in one way, or give two videos two names'
      )
    _check_keys(image, ('frame',), where)


def _check_list(value: Any, where: str) -> None:
  if not isinstance(value, list):
    raise ValueError(f'{where} is {value!r}: make it a list')


def _check_image_ids(
  entries: Sequence[Mapping[str, Any]], key: str, where: str
) -> None:
  for entry in entries:
    value = entry[key]
    if not (isinstance(value, str) and value) and not (
      type(value) is int and image_ids.LOWEST <= value <= image_ids.HIGHEST
    ):
      raise ValueError(
        f'{where} has {value!r} for its {key!r}: write {image_ids.RULE}'
      )


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

  Sequences, and ids that are texts, stand in natural order.

  Raises:
    ValueError: If they contradict each other.
  """
  images: dict[image_ids.ImageId, Mapping[str, Any]] = {}
  for image in content['images']:
    if image['id'] in images:
      raise ValueError(f'image id {image["id"]} stands twice')
    images[image['id']] = image
  annotated = (entry['image_id'] for entry in content['annotations'])
  spellings = image_ids.two_spellings((*images, *annotated))
  if spellings:
    raise ValueError(
      f'{spellings[0]!r} and {spellings[1]!r} are one image id: write it in '
      'one way, as a number or as a text'
    )
  annotations: dict[image_ids.ImageId, Mapping[str, Any]] = {}
  for entry in content['annotations']:
    key = entry['image_id']
    if key not in images:
      raise ValueError(f'the annotation of image {key} has no image')
    if key in annotations:
      raise ValueError(f'image {key} has two annotations')
    annotations[key] = entry
  if not annotations:
    raise ValueError('there is no annotation')
  owners: dict[str, image_ids.ImageId] = {}
  for key, entry in annotations.items():
    for name in (images[key]['file_name'], entry['file_name']):
      if owners.setdefault(name, key) != key:
        raise ValueError(
          f'images {owners[name]} and {key} share the file {name}; each needs '
          'its own'
        )

  def order(key):
    image = images[key]
    of_id = (1, natural_order.key(key)) if isinstance(key, str) else (0, key)
    return natural_order.key(sequence_of(image)), frame_of(image), of_id

  return [
    (images[key], annotations[key]) for key in sorted(annotations, key=order)
  ]
