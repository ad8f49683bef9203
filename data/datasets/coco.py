"""COCO panoptic, from the official files, and any set in the same format.

    <dir>/<split>/*.jpg
    <dir>/annotations/panoptic_<split>.json
    <dir>/annotations/panoptic_<split>/*.png

with split `train2017` or `val2017`. A PNG holds a segment's id at each of its
pixels, R + 256 G + 65536 B; the JSON file holds the segments' categories.

Videos are a set in which every image has a `sequence`, the video's name, and a
`frame`, its number there. A segment that has the same id in several frames of
a video is the same thing.
"""

import json
import os
from typing import Any, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from data.reading import byte_ranges, file_dataset, paths, split_index
from panoptic import classes as classes_lib
from panoptic import png

_KEYS = {
  'images': ('id', 'file_name', 'height', 'width'),
  'annotations': ('image_id', 'file_name', 'segments_info'),
  'categories': ('id', 'name', 'isthing'),
}
# The least and the most of each number; what is computed with them fits.
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


class CocoPanoptic(file_dataset.FileDataset):
  """COCO panoptic in a folder: a `contract.Read`.

  The examples are the images that have an annotation, by ascending image id,
  or, for videos, by the sequence's name and the frame's number.
  """

  def __init__(self, folder: str, split: str, cache: bool = False):
    """As `read_folder` and `file_dataset.FileDataset`."""
    super().__init__(read_folder(folder, split), cache)


def read_folder(
  folder: str, split: str, complete: bool = True
) -> split_index.SplitIndex:
  """Reads the JSON file and compares it with the folders.

  Args:
    folder: Root of the data set.
    split: Name of the images' folder, and part of the others'.
    complete: Whether all pictures and PNGs must be there.

  Raises:
    FileNotFoundError: If a folder is missing, or a file that must be there.
    PermissionError: If one may not be read.
    ValueError: If the JSON file lacks something or contradicts itself.
  """
  if not folder:
    raise ValueError(
      f'data.dir is empty: set it to the folder that holds annotations/ and '
      f'{split}/'
    )
  mask_folder = os.path.join(folder, 'annotations', f'panoptic_{split}')
  image_folder = os.path.join(folder, split)
  path = f'{mask_folder}.json'
  for needed in (folder, path, image_folder, mask_folder):
    paths.require(
      needed,
      'data.dir and the split must point at COCO panoptic as it is downloaded, '
      'with the PNG files unpacked' + paths.nearby(folder, _is_root(split)),
    )
  content = _read_json(path)
  try:
    classes = _class_table(content['categories'])
    images, annotations = _match(content)
    infos = [annotation['segments_info'] for annotation in annotations]
    splits, segments = split_index.flatten(infos)
    _check_segments(annotations, splits, segments)
    classes.to_contiguous(segments[:, 1])
    names, sequence = _sequences(images)
  except ValueError as error:
    raise ValueError(f'{path}: {error}') from error
  return split_index.SplitIndex(
    classes=classes,
    encoding=png.COCO,
    images=_blobs(image_folder, images, path, complete),
    labels=_blobs(mask_folder, annotations, path, complete),
    names=tuple(annotation['file_name'] for annotation in annotations),
    image_ids=np.array([image['id'] for image in images], np.int64),
    sizes=np.array([(i['height'], i['width']) for i in images], np.int32),
    splits=splits,
    segments=segments,
    sequences=names,
    sequence=sequence,
  )


def splits_of(folder: str) -> List[str]:
  """The splits that a folder has annotations of, sorted."""
  annotations = os.path.join(folder, 'annotations')
  if not os.path.isdir(annotations):
    return []
  return [
    name[len('panoptic_') : -len('.json')]
    for name in paths.listing(annotations)
    if name.startswith('panoptic_') and name.endswith('.json')
  ]


def unpacked_splits(folder: str) -> List[str]:
  """The splits of `splits_of` that have pictures; all, if none has.

  One archive of COCO's holds the annotations of all splits.
  """
  splits = splits_of(folder)
  unpacked = [s for s in splits if os.path.isdir(os.path.join(folder, s))]
  return unpacked or splits


def check_for_tfds(folder: str) -> None:
  """TFDS' builder of COCO takes more for granted than what is read here.

  Raises:
    ValueError: If a segment has no box, or an image no annotation.
  """
  for split in unpacked_splits(folder):
    path = os.path.join(folder, 'annotations', f'panoptic_{split}.json')
    content = _read_json(path)
    annotated = {entry['image_id'] for entry in content['annotations']}
    for image in content['images']:
      if image['id'] not in annotated:
        raise ValueError(
          f'{path}: image {image["id"]} has no annotation: remove it, or '
          'prepare the set with --dataset=panoptic_folder, which leaves it out'
        )
    for annotation in content['annotations']:
      for segment in annotation['segments_info']:
        if 'bbox' not in segment:
          raise ValueError(
            f'{path}: segment {segment["id"]} of image '
            f'{annotation["image_id"]} has no bbox: add it, or prepare the set '
            'with --dataset=panoptic_folder, which needs none'
          )


def _is_root(split):
  return lambda folder: os.path.exists(
    os.path.join(folder, 'annotations', f'panoptic_{split}.json')
  )


def _read_json(path: str) -> Mapping[str, List[Mapping[str, Any]]]:
  """Reads the file and checks that everything needed is there."""
  try:
    content = json.loads(paths.read_text(path))
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
      _check_keys(segment, split_index.SEGMENT_KEYS, where, _IDS['segments'])
  for image in content['images']:
    if 'sequence' in image:
      _check_keys(image, ('frame',), f'{path}: image {image["id"]}')
  return content


def _check_list(value, where: str) -> None:
  if not isinstance(value, list):
    raise ValueError(f'{where} is {value!r}: make it a list')


def _check_keys(
  entry: Mapping[str, Any],
  keys: Sequence[str],
  where: str,
  ids: Optional[Tuple[int, int]] = None,
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


def _class_table(categories) -> classes_lib.ClassTable:
  """In the file's order; colours of our own where the file has none."""
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


def _color(entry, default) -> Tuple[int, int, int]:
  color = entry.get('color', default)
  of_three = isinstance(color, (list, tuple)) and len(color) == 3
  if not of_three or not all(c in range(256) for c in color):
    raise ValueError(
      f'category {entry["id"]} has the color {color!r}: write three whole '
      'numbers from 0 to 255, or leave it out'
    )
  return tuple(color)


def _match(content) -> Tuple[List[Mapping], List[Mapping]]:
  """Images and their annotations, in the order of the examples."""
  images = {}
  for image in content['images']:
    if image['id'] in images:
      raise ValueError(f'image id {image["id"]} stands twice')
    images[image['id']] = image
  annotations = {}
  for annotation in content['annotations']:
    key = annotation['image_id']
    if key not in images:
      raise ValueError(f'the annotation of image {key} has no image')
    if key in annotations:
      raise ValueError(f'image {key} has two annotations')
    annotations[key] = annotation
  if not annotations:
    raise ValueError('there is no annotation')
  files = {}
  for key, annotation in annotations.items():
    for name in (images[key]['file_name'], annotation['file_name']):
      if files.setdefault(name, key) != key:
        raise ValueError(
          f'images {files[name]} and {key} share the file {name}; each needs '
          'its own'
        )

  def order(key):
    image = images[key]
    return str(image.get('sequence', '')), image.get('frame', 0), key

  keys = sorted(annotations, key=order)
  return [images[key] for key in keys], [annotations[key] for key in keys]


def _sequences(images) -> Tuple[Tuple[str, ...], np.ndarray | None]:
  """The videos' names, and the number of each frame's; none for pictures."""
  of_video = ['sequence' in image for image in images]
  if not any(of_video):
    return (), None
  for image, known in zip(images, of_video, strict=True):
    if not known:
      raise ValueError(
        f'image {image["id"]} has no sequence, but others have: give it one, '
        'or keep pictures and videos in two sets'
      )
  for before, image in zip(images[:-1], images[1:], strict=True):
    if image['sequence'] != before['sequence']:
      continue
    gap = image['frame'] - before['frame']
    if gap != 1:
      what = 'stands twice' if gap == 0 else 'is missing'
      raise ValueError(
        f'frame {before["frame"] + min(gap, 1)} of sequence '
        f'{image["sequence"]} {what}: number the frames without gaps, or make '
        'two sequences of it'
      )
  names = sorted({str(image['sequence']) for image in images})
  numbers = [names.index(str(image['sequence'])) for image in images]
  return tuple(names), np.array(numbers, np.int32)


def _check_segments(annotations, splits, segments) -> None:
  for annotation, start, end in zip(
    annotations, splits[:-1], splits[1:], strict=True
  ):
    ids = segments[start:end, 0].tolist()
    if len(set(ids)) < len(ids):
      raise ValueError(
        f'the segment ids of image {annotation["image_id"]} must differ from '
        'each other'
      )


def _blobs(
  folder: str, entries, json_path: str, complete: bool
) -> byte_ranges.ByteRanges:
  """The entries' files."""
  names = [entry['file_name'] for entry in entries]
  missing = paths.missing_files(folder, names) if complete else ()
  if missing:
    raise FileNotFoundError(
      f'{folder} lacks {len(missing)} of the {len(names)} files that '
      f'{json_path} names, the first being {missing[0]}'
    )
  return byte_ranges.ByteRanges.whole_files(
    [os.path.join(folder, n) for n in names]
  )
