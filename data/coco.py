"""COCO panoptic, from the official files.

    <dir>/<split>/*.jpg
    <dir>/annotations/panoptic_<split>.json
    <dir>/annotations/panoptic_<split>/*.png

with split `train2017` or `val2017`. A PNG holds a segment's id at each of its
pixels, R + 256 G + 65536 B; the JSON file holds the segments' categories.
"""

import json
import os
import pathlib
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np
import tensorflow as tf
from PIL import Image

from data import labels

_KEYS = {
  'images': ('id', 'file_name', 'height', 'width'),
  'annotations': ('image_id', 'file_name', 'segments_info'),
  'categories': ('id', 'name', 'isthing'),
}
_SEGMENT_KEYS = ('id', 'category_id', 'iscrowd', 'area')

_BROKEN = 'the file is broken or cut short; fetch it again'
_SIZE = 'the size differs from the one in the JSON file'
_IDS = 'the segment ids in the PNG and the JSON file differ'


class CocoPanoptic:
  """COCO panoptic; see `data.pipeline` for the contract.

  The examples are the images that have an annotation, by ascending image id.
  """

  batched = False

  def __init__(self, folder: str, split: str, cache: bool = False):
    """Reads the JSON file and compares it with the folders.

    Args:
      folder: Root of the data set.
      split: Name of the images' folder, and part of the others'.
      cache: Whether to read all files now and keep their bytes in memory.

    Raises:
      FileNotFoundError: If a folder or a file is missing.
      ValueError: If the JSON file lacks something or contradicts itself.
    """
    if not folder:
      raise ValueError(
        'data.dir is empty: set it to the folder that holds annotations/ and '
        f'{split}/'
      )
    mask_folder = os.path.join(folder, 'annotations', f'panoptic_{split}')
    image_folder = os.path.join(folder, split)
    path = f'{mask_folder}.json'
    for needed in (folder, path, image_folder, mask_folder):
      if not os.path.exists(needed):
        raise FileNotFoundError(
          f'{needed} does not exist: data.dir and the split must point at '
          'COCO panoptic as it is downloaded, with the PNG files unpacked'
        )
    content = _read_json(path)
    try:
      self.classes = _class_table(content['categories'])
      images, annotations = _match(content)
      splits, segments = _flatten(annotations)
      classes = self.classes.to_contiguous(segments[:, 1])
    except ValueError as error:
      raise ValueError(f'{path}: {error}') from error

    self.image_ids = [image['id'] for image in images]
    self.num_examples = len(images)
    self._index_of = {key: i for i, key in enumerate(self.image_ids)}
    self._image_paths = _paths(image_folder, images, path)
    self._mask_paths = _paths(mask_folder, annotations, path)
    self._sizes = np.array(
      [(i['height'], i['width']) for i in images], np.int32
    )
    self._splits, self._segments = splits, segments

    # For TF operations: a row for void and one a segment, by image and id.
    self._table = tf.constant(_table(splits, segments, classes), tf.int32)
    self._table_splits = tf.constant(splits + np.arange(len(splits)))
    self._tf_ids = tf.constant(self.image_ids, tf.int64)
    self._tf_sizes = tf.constant(self._sizes)
    self._names = tf.constant([self._image_paths, self._mask_paths])
    self._bytes = None
    if cache:
      paths = self._image_paths + self._mask_paths
      content = [pathlib.Path(path).read_bytes() for path in paths]
      self._bytes = tf.reshape(tf.constant(content), [2, -1])

  def example(self, index: tf.Tensor) -> Dict[str, tf.Tensor]:
    """Reads one example.

    Args:
      index: int64 scalar below `num_examples`.

    Returns:
      'image': uint8 `[h0, w0, 3]`; 'label_map': int32 `[h0, w0, 2]`, class and
      number by area, largest first, void and crowd 0; 'image_id': int64.

    Raises:
      InvalidArgumentError: If a file is broken or contradicts the JSON file;
        the message names the file.
    """
    image_name, mask_name = self._names[0, index], self._names[1, index]
    if self._bytes is None:
      image = tf.io.read_file(image_name)
      mask = tf.io.read_file(mask_name)
    else:
      image, mask = self._bytes[0, index], self._bytes[1, index]
    checks = [
      _assert(
        _is_whole(image, b'\xff\xd8\xff', b'\xff\xd9'), _BROKEN, image_name
      ),
      _assert(_is_whole(mask, b'\x89PNG', b'IEND'), _BROKEN, mask_name),
    ]
    with tf.control_dependencies(checks):
      image = tf.io.decode_jpeg(image, channels=3)
      mask = tf.cast(tf.io.decode_png(mask, channels=3), tf.int32)
    size = self._tf_sizes[index]
    checks = [
      _assert(tf.reduce_all(tf.shape(image)[:2] == size), _SIZE, image_name),
      _assert(tf.reduce_all(tf.shape(mask)[:2] == size), _SIZE, mask_name),
    ]
    with tf.control_dependencies(checks):
      ids = mask[..., 0] + 256 * mask[..., 1] + 65536 * mask[..., 2]
      ids = tf.reshape(ids, [-1])

    first, end = self._table_splits[index], self._table_splits[index + 1]
    table = self._table[first:end]
    row = tf.minimum(tf.searchsorted(table[:, 0], ids), tf.shape(table)[0] - 1)
    pixels = tf.math.bincount(row, minlength=tf.shape(table)[0])
    agree = tf.reduce_all(tf.gather(table[:, 0], row) == ids)
    agree &= tf.reduce_all(pixels[1:] > 0)
    with tf.control_dependencies([_assert(agree, _IDS, mask_name)]):
      label_map = tf.gather(table[:, 1:], row)
    return {
      'image': image,
      'label_map': tf.reshape(label_map, [size[0], size[1], 2]),
      'image_id': self._tf_ids[index],
    }

  def image(self, image_id: int) -> np.ndarray:
    """The picture, uint8 `[h0, w0, 3]`."""
    return _open_rgb(self._image_paths[self._index_of[image_id]])

  def ground_truth(self, image_id: int) -> labels.GroundTruth:
    """The segments of an image, crowds among them.

    Raises:
      ValueError: If the PNG file is broken or contradicts the JSON file.
    """
    index = self._index_of[image_id]
    path = self._mask_paths[index]
    segment_ids = _open_rgb(path).astype(np.int32) @ np.array(
      [1, 256, 65536], np.int32
    )
    rows = self._segments[self._splits[index] : self._splits[index + 1]]
    if segment_ids.shape != tuple(self._sizes[index]):
      raise ValueError(f'{path}: {_SIZE}')
    if set(np.unique(segment_ids)) - {0} != set(rows[:, 0]):
      raise ValueError(f'{path}: {_IDS}')
    return labels.GroundTruth(
      segment_ids,
      [dict(zip(_SEGMENT_KEYS, row, strict=True)) for row in rows.tolist()],
    )

  def file_name(self, image_id: int) -> str:
    """The name of the PNG file, which result files share."""
    return os.path.basename(self._mask_paths[self._index_of[image_id]])


def _read_json(path: str) -> Mapping[str, List[Mapping[str, Any]]]:
  """Reads the file and checks that everything needed is there."""
  try:
    with open(path, encoding='utf-8') as file:
      content = json.load(file)
  except ValueError as error:
    raise ValueError(f'{path} is not JSON: {error}') from error
  for section, keys in _KEYS.items():
    if not isinstance(content, dict) or section not in content:
      raise ValueError(
        f'{path} has no {section!r}: it must be a panoptic file of COCO'
      )
    for entry in content[section]:
      _check_keys(entry, keys, f'{path}: an entry of {section!r}')
  for annotation in content['annotations']:
    for segment in annotation['segments_info']:
      where = f'{path}: a segment of image {annotation["image_id"]}'
      _check_keys(segment, _SEGMENT_KEYS, where)
  return content


def _check_keys(entry: Mapping[str, Any], keys: Sequence[str], where: str):
  for key in keys:
    if key not in entry:
      raise ValueError(f'{where} has no {key!r}')


def _class_table(categories) -> labels.ClassTable:
  """In the file's order; colours of our own where the file has none."""
  return labels.ClassTable(
    [
      labels.Category(
        entry['id'],
        entry['name'],
        tuple(entry.get('color', labels.palette_color(i))),
        bool(entry['isthing']),
      )
      for i, entry in enumerate(categories)
    ]
  )


def _match(content) -> Tuple[List[Mapping], List[Mapping]]:
  """Images and their annotations, by ascending image id."""
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
  keys = sorted(annotations)
  return [images[key] for key in keys], [annotations[key] for key in keys]


def _flatten(annotations) -> Tuple[np.ndarray, np.ndarray]:
  """Where each image's segments start `[N+1]`, and their values `[M, 4]`."""
  infos = [annotation['segments_info'] for annotation in annotations]
  splits = np.cumsum([0] + [len(info) for info in infos])
  rows = [
    [segment[k] for k in _SEGMENT_KEYS] for info in infos for segment in info
  ]
  segments = np.array(rows, np.int64).reshape(-1, len(_SEGMENT_KEYS))
  for annotation, start, end in zip(
    annotations, splits[:-1], splits[1:], strict=True
  ):
    ids = segments[start:end, 0]
    if len(set(ids)) < len(ids) or (ids < 1).any():
      raise ValueError(
        f'the segment ids of image {annotation["image_id"]} must be positive '
        'and differ from each other'
      )
  return splits, segments


def _table(splits, segments, classes) -> np.ndarray:
  """Rows (id, class, number by area), by id within each image, void first."""
  ids, _, crowd, areas = segments.T
  image = np.repeat(np.arange(len(splits) - 1), np.diff(splits))
  by_area = np.lexsort((ids, -areas, crowd, image))
  number = np.empty_like(ids)
  number[by_area] = np.arange(len(ids)) - splits[image[by_area]] + 1
  kept = 1 - crowd
  rows = np.stack([ids, classes * kept, number * kept], axis=1)
  void = np.zeros([len(splits) - 1, 3], np.int64)
  rows = np.concatenate([void, rows])
  image = np.concatenate([np.arange(len(splits) - 1), image])
  return rows[np.lexsort((rows[:, 0], image))]


def _paths(folder: str, entries, json_path: str) -> List[str]:
  """Paths of the entries' files, all of which must exist."""
  present = set(os.listdir(folder))
  names = [entry['file_name'] for entry in entries]
  missing = [name for name in names if name not in present]
  if missing:
    raise FileNotFoundError(
      f'{folder} lacks {len(missing)} of the {len(names)} files that '
      f'{json_path} names, the first being {missing[0]}'
    )
  return [os.path.join(folder, name) for name in names]


def _open_rgb(path: str) -> np.ndarray:
  try:
    with Image.open(path) as picture:
      return np.array(picture.convert('RGB'))
  except (OSError, SyntaxError) as error:
    raise ValueError(f'{path}: {_BROKEN}') from error


def _is_whole(content: tf.Tensor, head: bytes, end: bytes) -> tf.Tensor:
  """Whether a file starts as it should and its end marker was reached.

  The decoders would not say which file is broken.
  """
  starts = tf.strings.substr(content, 0, len(head)) == head
  return starts & (tf.size(tf.strings.split(content, end)) > 1)


def _assert(condition: tf.Tensor, message: str, name: tf.Tensor):
  return tf.debugging.Assert(
    condition, [tf.strings.join([name, ': ', message])]
  )
