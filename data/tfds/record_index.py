"""The index of a prepared split: where each picture lies in its shards.

TFDS shuffles its records and gives no access to a single one in a plain
TFRecord file. But JPEG and PNG files stand in the records as they are; so their
places in the shards are looked up once, when a set is prepared or first
opened, and kept beside the shards in `pix2seq_d-<split>.npz`. From then on any
example can be read by itself, in the graph, without parsing its record.
(Array records would allow the same, but only from Python, and not for sets
that were prepared otherwise.)
"""

import os
import struct
import uuid
from typing import Callable, Dict, Iterator, List, NamedTuple, Tuple

import numpy as np
import tensorflow as tf

from data.reading import byte_ranges, samples, split_index
from panoptic import classes as classes_lib
from panoptic import maps, png, runs

_VERSION = 1  # Of the index file.


class Entry(NamedTuple):
  """What a record says of one frame.

  `image_id` is -1 and `segments` None where it says nothing of them.
  """

  image: bytes
  labels: bytes
  name: str
  image_id: int
  sequence: str
  frame: int
  segments: List[maps.Segment] | None


Features = Dict[str, list]


class Kind(NamedTuple):
  """How the records of a data set are to be understood.

  Attributes:
    folder: Below the data directory, without the version.
    splits: TFDS' names of splits, by ours.
    entries: A record's features to its frames.
    class_table: The classes; None: the set's own metadata tell.
    encoding: Of the labels.
    find_segments: Ids and areas to segments, where the records have none.
  """

  folder: str
  splits: Dict[str, str]
  entries: Callable[[Features], List[Entry]]
  class_table: Callable[[], classes_lib.ClassTable] | None
  encoding: png.Encoding
  find_segments: samples.Finder | None = None


def load(kind: Kind, folder: str, split) -> Dict[str, np.ndarray]:
  """Reads the index of a split, or makes it and keeps it for the next time.

  Args:
    kind: The data set's.
    folder: Of the prepared version.
    split: TFDS' information on the split.

  Returns:
    By name, for N frames with M segments, ordered by sequence, frame and image
    id: 'shards', names of files; 'shard' int32 `[N]`, an index into them;
    'image_start', 'image_length', 'labels_start', 'labels_length' int64 `[N]`,
    bytes; 'name' and 'sequence', texts `[N]`; 'frame' and 'image_id' `[N]`;
    'size' int32 `[N, 2]`; 'splits' and 'segments' as in
    `split_index.SplitIndex`.

  Raises:
    ValueError: If a shard is cut short or if labels in it are broken.
  """
  path = os.path.join(folder, f'pix2seq_d-{split.name}.npz')
  lengths = np.array(split.shard_lengths, np.int64)
  if os.path.exists(path):
    with np.load(path) as stored:
      index = dict(stored)
    if (index['version'], *index['lengths']) == (_VERSION, *lengths):
      return index
  index = _make_index(kind, folder, [str(p) for p in split.filepaths])
  index['version'], index['lengths'] = np.array(_VERSION), lengths
  temporary = f'{path}.{uuid.uuid4().hex}.tmp'
  try:
    with open(temporary, 'wb') as file:
      np.savez(file, **index)
    os.replace(temporary, path)
  except OSError:
    if os.path.exists(temporary):
      os.remove(temporary)
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
  if (index['image_id'] < 0).any():  # The records have none.
    index['image_id'] = np.arange(1, len(order) + 1)
  splits, segments = split_index.flatten([infos[i] for i in order])
  index['splits'], index['segments'] = splits, segments
  index['shards'] = np.array([os.path.basename(path) for path in files])
  return index


def _describe(kind, entry, path) -> Tuple[Tuple[int, int], list]:
  """A frame's size and segments, the latter found where they are not told."""
  size = tuple(byte_ranges.size_of(tf.constant(entry.image)).numpy())
  if entry.segments is not None:
    return size, entry.segments
  try:
    ids = png.decode_ids(entry.labels, kind.encoding)
  except ValueError as error:
    raise ValueError(f'{path}, {entry.name}: {error}') from error
  values, areas = runs.areas(ids)
  return size, kind.find_segments(values[values > 0], areas[values > 0])


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
