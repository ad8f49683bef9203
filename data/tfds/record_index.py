"""The index of a packed split: where each image lies in its shards.

TFDS shuffles its records, and a plain TFRecord file gives no access to a single
one. But records hold JPEG and PNG files as they are. So their places in the
shards are looked up once, when a set is packed or first opened, and kept (see
`data.reading.index_file`). From then on any example can be read by itself, in
the graph, without parsing its record. (Array records allow this only from
Python, and not for sets that were packed before.)
"""

import os
import struct
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from data.reading import byte_ranges, index_file, split_index
from data.reading import spec as spec_lib
from panoptic import image_ids, maps, natural_order, png, runs

_VERSION = 2  # Of the index.


def load(spec: spec_lib.FileSpec, folder: str, split) -> dict[str, np.ndarray]:
  """Reads the index of a split, or makes it and keeps it for the next time.

  Args:
    spec: The data set.
    folder: Of the packed version.
    split: TFDS' information on the split.

  Returns:
    By name, for N frames with M segments, ordered by sequence, frame and image
    id: 'shards', names of files; 'shard' int32 `[N]`, an index into them;
    'image_start', 'image_length', 'labels_start', 'labels_length' int64 `[N]`,
    bytes; 'name' and 'sequence', texts `[N]`; 'frame' and 'image_id' `[N]`;
    'size' int32 `[N, 2]`; 'splits' and 'segments' as in
    `split_index.SplitIndex`; 'result_id', the data set's own ids as JSON, `[N]`
    or `[0]`.

  Raises:
    ValueError: If a shard is cut short or if labels in it are broken.
  """
  name = f'pix2seq_d-{split.name}'
  stamp = {
    'version': np.array(_VERSION),
    'lengths': np.array(split.shard_lengths, np.int64),
  }
  index = index_file.load(folder, name, stamp)
  if index is None:
    index = _make_index(spec, [str(path) for path in split.filepaths])
    index_file.save(folder, name, {**stamp, **index})
  return index


def _make_index(
  spec: spec_lib.FileSpec, files: list[str]
) -> dict[str, np.ndarray]:
  """Goes through all records once."""
  rows, segments, own_ids = [], [], []
  for number, path in enumerate(files):
    for start, record in _records(path):
      for entry in spec.records.entries(_features(record)):
        row = {**entry._asdict(), 'shard': number}
        row['size'], of_frame = _describe(spec, entry, path)
        del row['segments'], row['result_id']
        own_ids.append(entry.result_id)
        segments.append(of_frame)
        for part in ('image', 'labels'):
          content = row.pop(part)
          # Protocol buffers keep bytes as they are and in one piece.
          row[f'{part}_start'] = start + record.index(content)
          row[f'{part}_length'] = len(content)
        rows.append(row)
  if not rows:
    raise ValueError(f'{files[0]} and the other shards hold no image')
  index = {key: np.array([row[key] for row in rows]) for key in rows[0]}
  order = sorted(
    range(len(rows)),
    key=lambda i: (
      natural_order.key(rows[i]['sequence']),
      rows[i]['frame'],
      rows[i]['image_id'],
    ),
  )
  index = {key: values[order] for key, values in index.items()}
  index['shard'] = index['shard'].astype(np.int32)
  index['size'] = index['size'].astype(np.int32)
  if (index['image_id'] < 0).any():  # The records have none.
    index['image_id'] = np.arange(1, len(order) + 1)
  index['splits'], index['segments'] = split_index.flatten(
    [segments[i] for i in order]
  )
  stated = [own_ids[i] for i in order]
  known = [image_id for image_id in stated if image_id is not None]
  texts = image_ids.dumps(known) if len(known) == len(stated) else []
  index['result_id'] = np.array(texts, str)
  index['shards'] = np.array([os.path.basename(path) for path in files])
  return index


def _describe(
  spec: spec_lib.FileSpec, entry: spec_lib.Entry, path: str
) -> tuple[tuple[int, ...], list[maps.Segment]]:
  """A frame's size and segments; found in labels if the record has none."""
  size = tuple(byte_ranges.size_of(tf.constant(entry.image)).numpy())
  if entry.segments is not None:
    return size, list(entry.segments)
  if spec.find_segments is None:
    raise ValueError(f'{path}, {entry.name}: the record has no segments')
  try:
    ids = png.decode_ids(entry.labels, spec.encoding)
  except ValueError as error:
    raise ValueError(f'{path}, {entry.name}: {error}') from error
  return size, spec.find_segments(*runs.areas(ids))


def _records(path: str) -> Iterator[tuple[int, bytes]]:
  """The records of a TFRecord file, and where each starts."""
  with tf.io.gfile.GFile(path, 'rb') as file:
    start = 0
    while header := file.read(12):  # Length and its checksum.
      record = b''
      if len(header) == 12:
        record = file.read(struct.unpack('<Q', header[:8])[0])
      if len(file.read(4)) < 4:  # The record's checksum.
        raise ValueError(f'{path} is cut short: prepare the data set again')
      yield start + 12, record
      start += 16 + len(record)


def _features(record: bytes) -> spec_lib.Features:
  """The features of a serialized example, as lists."""
  example = tf.train.Example.FromString(record)
  return {
    name: getattr(feature, feature.WhichOneof('kind') or 'bytes_list').value
    for name, feature in example.features.feature.items()
  }
