"""Splits of prepared TFDS data sets, read in any order.

TFDS shuffles its records and gives no access to a single one in a plain
TFRecord file. But JPEG and PNG files stand in the records as they are; so their
places in the shards are looked up once, when a set is prepared or first
opened, and kept beside the shards in `pix2seq_d-<split>.npz`. From then on a
prepared set is a catalogue like a folder's: any example can be read by itself,
in the graph, without parsing its record, and a run resumes at once wherever it
was. (Array records would allow the same, but only from Python, and not for
sets that were prepared otherwise.)
"""

import os
import struct
from typing import Callable, Dict, Iterator, List, NamedTuple, Tuple

import numpy as np
import tensorflow as tf

from data import (
  blobs,
  catalogue,
  cityscapes,
  coco_classes,
  davis,
  encodings,
  kitti_step,
  labels,
  source,
)

_VERSION = 1  # Of the index file.


class Entry(NamedTuple):
  """What a record says of one frame."""

  image: bytes
  labels: bytes
  name: str
  image_id: int
  sequence: str
  frame: int
  segments: List[source.Segment]


Features = Dict[str, list]


class Kind(NamedTuple):
  """How the records of a data set are to be understood.

  Attributes:
    folder: Below the data directory, without the version.
    splits: TFDS' names of splits, by ours.
    entries: A record's features to its frames.
    class_table: The classes; None: the set's own metadata tell.
    encoding: Of the labels.
  """

  folder: str
  splits: Dict[str, str]
  entries: Callable[[Features], List[Entry]]
  class_table: Callable[[], labels.ClassTable] | None
  encoding: encodings.Encoding


def open_split(name: str, data_dir: str, split: str) -> catalogue.Catalogue:
  """Opens a split of a prepared data set.

  Args:
    name: One of `KINDS`.
    data_dir: TFDS' data directory, which it was prepared in.
    split: As in the official files, or as TFDS calls it.

  Raises:
    FileNotFoundError: If it was not prepared; with the command that does.
    ValueError: If there is no such split, or if the records are not what this
      project can read.
  """
  kind = KINDS[name]
  folder = find(name, data_dir)
  if folder is None:
    where = os.path.join(data_dir or '<data.dir>', kind.folder)
    raise FileNotFoundError(
      f'{where} does not exist: prepare it by python -m data.prepare '
      f'--dataset={name} --data_dir={data_dir or "DIR"} --manual_dir=OFFICIAL, '
      'and set data.dir to that data_dir'
    )
  # Only now, since it takes seconds.
  import tensorflow_datasets as tfds

  info = tfds.builder_from_directory(folder).info
  split = kind.splits.get(split, split)
  if split not in info.splits:
    raise ValueError(
      f'{folder} has no split {split!r}: choose one of '
      f'{", ".join(sorted(info.splits))}'
    )
  if kind.class_table is None:
    classes = _own_classes(info.metadata, folder)
  else:
    classes = kind.class_table()
  if name == 'coco_panoptic':
    _require_coco(info, classes, folder)
  index = _index(kind, folder, info.splits[split])
  count = len(index['image_id'])

  def of(part):
    return blobs.Blobs(
      tuple(os.path.join(folder, file) for file in index['shards'].tolist()),
      index['shard'],
      index[f'{part}_start'],
      index[f'{part}_length'],
    )

  names, sequence = (), None
  if count and index['sequence'][0]:
    unique, sequence = np.unique(index['sequence'], return_inverse=True)
    names, sequence = tuple(unique.tolist()), sequence.astype(np.int32)
  return catalogue.Catalogue(
    classes=classes,
    encoding=kind.encoding,
    images=of('image'),
    labels=of('labels'),
    names=tuple(index['name'].tolist()),
    image_ids=index['image_id'],
    sizes=index['size'],
    splits=index['splits'],
    segments=index['segments'],
    sequences=names,
    sequence=sequence,
  )


def find(name: str, data_dir: str) -> str | None:
  """The folder of the newest prepared version, if there is one."""
  folder = os.path.join(data_dir, KINDS[name].folder)
  if not data_dir or not os.path.isdir(folder):
    return None
  versions = [
    version
    for version in os.listdir(folder)
    if os.path.exists(os.path.join(folder, version, 'dataset_info.json'))
    and all(part.isdigit() for part in version.split('.'))
  ]
  if not versions:
    return None
  newest = max(versions, key=lambda v: [int(part) for part in v.split('.')])
  return os.path.join(folder, newest)


def _own_classes(metadata, folder: str) -> labels.ClassTable:
  if not metadata or 'categories' not in metadata:
    raise ValueError(
      f'{folder} has no categories in its metadata: prepare it again'
    )
  return labels.ClassTable(
    [
      labels.Category(id_, name, tuple(color), bool(isthing))
      for id_, name, color, isthing in metadata['categories']
    ]
  )


def _require_coco(info, classes: labels.ClassTable, folder: str) -> None:
  """TFDS keeps a category's place in its file: the file must be COCO's."""
  names = info.features['panoptic_objects']['label'].names
  if names != [category.name for category in classes.categories]:
    raise ValueError(
      f"{folder} was not prepared from COCO's 133 categories: prepare a set "
      'of your own with --dataset=panoptic_folder'
    )


def _index(kind: Kind, folder: str, split) -> Dict[str, np.ndarray]:
  """Reads the index of a split, or makes and keeps it."""
  path = os.path.join(folder, f'pix2seq_d-{split.name}.npz')
  lengths = np.array(split.shard_lengths, np.int64)
  if os.path.exists(path):
    with np.load(path) as stored:
      index = dict(stored)
    if (index['version'], *index['lengths']) == (_VERSION, *lengths):
      return index
  index = _make_index(kind, folder, [str(p) for p in split.filepaths])
  index['version'], index['lengths'] = np.array(_VERSION), lengths
  temporary = f'{path}.{os.getpid()}.tmp'
  try:
    with open(temporary, 'wb') as file:
      np.savez(file, **index)
    os.replace(temporary, path)
  except PermissionError:
    print(f'{folder} cannot be written, so its index is made at every start')
  return index


def _make_index(kind, folder, files) -> Dict[str, np.ndarray]:
  """Goes through all records once."""
  columns = {
    name: []
    for name in ('shard', 'image_start', 'image_length', 'labels_start')
    + ('labels_length', 'name', 'image_id', 'sequence', 'frame', 'size')
  }
  infos = []
  for number, path in enumerate(files):
    for start, record in _records(path):
      for entry in kind.entries(_features(record)):
        size, segments = _describe(kind, entry, path)
        infos.append([segment._asdict() for segment in segments])
        row = {
          'shard': number,
          # Protocol buffers keep bytes as they are and in one piece.
          'image_start': start + record.index(entry.image),
          'image_length': len(entry.image),
          'labels_start': start + record.index(entry.labels),
          'labels_length': len(entry.labels),
          'name': entry.name,
          'image_id': entry.image_id,
          'sequence': entry.sequence,
          'frame': entry.frame,
          'size': size,
        }
        for key, value in row.items():
          columns[key].append(value)
  index = {key: np.array(values) for key, values in columns.items()}
  order = np.lexsort((index['image_id'], index['frame'], index['sequence']))
  index = {key: values[order] for key, values in index.items()}
  index['shard'] = index['shard'].astype(np.int32)
  index['size'] = index['size'].astype(np.int32).reshape(-1, 2)
  if not index['image_id'].all():  # The records have none.
    index['image_id'] = np.arange(1, len(order) + 1)
  splits, segments = catalogue.flatten([infos[i] for i in order])
  index['splits'], index['segments'] = splits, segments
  index['shards'] = np.array([os.path.basename(path) for path in files])
  return index


def _describe(kind, entry, path) -> Tuple[Tuple[int, int], list]:
  """A frame's size and segments, the latter found where they are not told."""
  size = tuple(blobs.size_of(tf.constant(entry.image)).numpy())
  if entry.segments is not None:
    return size, entry.segments
  try:
    ids = encodings.read_segment_ids(entry.labels, kind.encoding)
  except ValueError as error:
    raise ValueError(f'{path}, {entry.name}: {error}') from error
  values, areas = encodings.areas(ids)
  return size, davis.find_segments(values[values > 0], areas[values > 0])


def _records(path: str) -> Iterator[Tuple[int, bytes]]:
  """The records of a TFRecord file, and where each starts."""
  with tf.io.gfile.GFile(path, 'rb') as file:
    start = 0
    while header := file.read(12):  # Length and its checksum.
      record = (
        file.read(struct.unpack('<Q', header[:8])[0])
        if (len(header) == 12)
        else b''
      )
      if len(file.read(4)) < 4:  # The record's checksum.
        raise ValueError(f'{path} is cut short: prepare the data set again')
      yield start + 12, record
      start += 16 + len(record)


def _features(record: bytes) -> Features:
  """The features of a serialized example, as lists."""
  example = tf.train.Example.FromString(record)
  return {
    name: getattr(feature, feature.WhichOneof('kind') or 'bytes_list').value
    for name, feature in example.features.feature.items()
  }


def _coco_entries(features: Features) -> List[Entry]:
  """Records of TFDS' `coco/2017_panoptic`."""
  categories = coco_classes.class_table().categories
  columns = [
    features.get(f'panoptic_objects/{name}', ())
    for name in ('id', 'label', 'is_crowd', 'area')
  ]
  return [
    Entry(
      features['image'][0],
      features['panoptic_image'][0],
      features['panoptic_image/filename'][0].decode(),
      features['image/id'][0],
      '',
      0,
      [
        source.Segment(id_, categories[label].id, crowd, area)
        for id_, label, crowd, area in zip(*columns, strict=True)
      ],
    )
  ]


def _davis_entries(features: Features) -> List[Entry]:
  """Records of TFDS' `davis/480p`, a video each."""
  (name,) = features['metadata/video_name']
  pairs = zip(
    features['video/frames'], features['video/segmentations'], strict=True
  )
  return [
    Entry(
      image, labels_, f'{name.decode()}/{i:05d}.png', 0, name.decode(), i, None
    )
    for i, (image, labels_) in enumerate(pairs)
  ]


def _own_entries(features: Features) -> List[Entry]:
  """Records of our own builders."""
  columns = [
    features.get(f'segments/{name}', ()) for name in source.Segment._fields
  ]
  return [
    Entry(
      features['image'][0],
      features['labels'][0],
      features['name'][0].decode(),
      features['image_id'][0],
      features['sequence'][0].decode(),
      features['frame'][0],
      [source.Segment(*row) for row in zip(*columns, strict=True)],
    )
  ]


KINDS = {
  'coco_panoptic': Kind(
    os.path.join('coco', '2017_panoptic'),
    {'train2017': 'train', 'val2017': 'validation'},
    _coco_entries,
    coco_classes.class_table,
    encodings.RGB,
  ),
  'cityscapes': Kind(
    'cityscapes_panoptic',
    {},
    _own_entries,
    cityscapes.class_table,
    cityscapes.ENCODING,
  ),
  'kitti_step': Kind(
    'kitti_step', {}, _own_entries, kitti_step.class_table, kitti_step.ENCODING
  ),
  'davis': Kind(
    os.path.join('davis', '480p'),
    {'val': 'validation'},
    _davis_entries,
    davis.class_table,
    davis.ENCODING,
  ),
  'panoptic_folder': Kind(
    'panoptic_folder', {}, _own_entries, None, encodings.RGB
  ),
}
