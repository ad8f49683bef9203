"""Data sets of files: pictures, or videos frame by frame."""

from typing import Dict

import numpy as np
import tensorflow as tf

from data.reading import byte_ranges, label_png, split_index
from panoptic import maps, png, runs

IDS = 'the segment ids in the PNG and the annotation differ'


class FileDataset:
  """A data set of encoded pictures: a `contract.Read`."""

  batched = False

  def __init__(self, content: split_index.SplitIndex, cache: bool = False):
    """Makes the tables.

    Args:
      content: The split.
      cache: Whether to read all files now and keep their bytes in memory.

    Raises:
      ValueError: If a category is unknown.
      OSError: If a file cannot be read, with `cache`.
    """
    self._content = content
    self.classes = content.classes
    self.image_ids = content.image_ids.tolist()
    self.num_examples = len(self.image_ids)
    self._index_of = {key: i for i, key in enumerate(self.image_ids)}
    self.sequences = {}
    if content.sequence is not None:
      starts = np.searchsorted(
        content.sequence, np.arange(len(content.sequences) + 1)
      )
      self.sequences = {
        name: range(starts[i], starts[i + 1])
        for i, name in enumerate(content.sequences)
      }

    table, splits = split_index.label_table(content)
    self._table = tf.constant(table, tf.int32)
    self._table_splits = tf.constant(splits, tf.int64)
    self._ids = tf.constant(content.image_ids, tf.int64)
    self._sizes = tf.constant(content.sizes, tf.int32)
    first = np.arange(self.num_examples)
    for indices in self.sequences.values():
      first[indices.start : indices.stop] = indices.start
    self._first = tf.constant(first, tf.int64)
    self._images = byte_ranges.Reader(content.images, cache)
    self._labels = byte_ranges.Reader(content.labels, cache)

  def encoded_image(self, index: tf.Tensor) -> Dict[str, tf.Tensor]:
    """Reads one picture without decoding it.

    Args:
      index: int64 scalar below `num_examples`.

    Returns:
      'image': string, a JPEG or PNG; 'size': int32 `[2]`; 'image_id': int64.

    Raises:
      InvalidArgumentError: If the file is broken or of another size; the
        message names it.
    """
    content, name = self._images.read(index), self._images.name(index)
    size = self._sizes[index]
    whole = byte_ranges.require(byte_ranges.is_whole(content), name, png.BROKEN)
    with tf.control_dependencies([whole]):
      same = tf.reduce_all(byte_ranges.size_of(content) == size)
    with tf.control_dependencies(
      [byte_ranges.require(same, name, byte_ranges.SIZE)]
    ):
      content = tf.identity(content)
    return {'image': content, 'size': size, 'image_id': self._ids[index]}

  def label_pixels(self, index: tf.Tensor) -> tf.Tensor:
    """Reads and decodes the labels of a picture, for `label_map`.

    Returns:
      uint8 or uint16 `[h0, w0, c]`, the pixels of the file.

    Raises:
      InvalidArgumentError: As for `encoded_image`.
    """
    content, name = self._labels.read(index), self._labels.name(index)
    encoding = self._content.encoding
    whole = byte_ranges.require(byte_ranges.is_whole(content), name, png.BROKEN)
    with tf.control_dependencies([whole]):
      same = tf.reduce_all(byte_ranges.size_of(content) == self._sizes[index])
      depth = byte_ranges.png_depth(content)
    checks = [
      byte_ranges.require(same, name, byte_ranges.SIZE),
      byte_ranges.require(
        png.fits(depth, encoding), name, png.DEPTH.format(encoding.bits)
      ),
    ]
    with tf.control_dependencies(checks):
      return label_png.decode(content, encoding)

  def label_map(self, pixels: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Looks up what pixels of the labels mean.

    Args:
      pixels: `[..., c]`, any of those that `label_pixels` gave.
      index: int64 scalar, of the picture.

    Returns:
      int32 `[..., 2]`: class and number; void and crowd 0.

    Raises:
      InvalidArgumentError: If a pixel's id is not in the annotation.
    """
    ids = label_png.segment_ids(pixels, self._content.encoding)
    table, row = self._rows(tf.reshape(ids, [-1]), index)
    label_map = tf.gather(table[:, 1:], row)
    return tf.reshape(label_map, tf.concat([tf.shape(ids), [2]], 0))

  def _rows(self, ids: tf.Tensor, index: tf.Tensor):
    """The picture's part of the table, and the row of each id."""
    start, end = self._table_splits[index], self._table_splits[index + 1]
    table = self._table[start:end]
    row = tf.minimum(tf.searchsorted(table[:, 0], ids), tf.shape(table)[0] - 1)
    known = tf.reduce_all(tf.gather(table[:, 0], row) == ids)
    check = byte_ranges.require(known, self._labels.name(index), IDS)
    with tf.control_dependencies([check]):
      return table, tf.identity(row)

  def example(self, index: tf.Tensor) -> Dict[str, tf.Tensor]:
    """Reads and decodes one example, and checks all of it.

    Args:
      index: int64 scalar below `num_examples`.

    Returns:
      'image': uint8 `[h0, w0, 3]`; 'label_map': int32 `[h0, w0, 2]`, class and
      number, void and crowd 0; 'image_id': int64.

    Raises:
      InvalidArgumentError: If a file is broken or contradicts the annotation;
        the message names the file.
    """
    source = self.encoded_image(index)
    size = source['size']
    whole = tf.concat([[0, 0], size], axis=0)
    image = byte_ranges.decode_window(source['image'], whole)
    pixels = self.label_pixels(index)
    ids = label_png.segment_ids(pixels, self._content.encoding)
    table, row = self._rows(tf.reshape(ids, [-1]), index)
    present = tf.math.bincount(row, minlength=tf.shape(table)[0]) > 0
    all_there = tf.reduce_all(present[1:])
    check = byte_ranges.require(all_there, self._labels.name(index), IDS)
    with tf.control_dependencies([check]):
      label_map = tf.gather(table[:, 1:], row)
    return {
      'image': image,
      'label_map': tf.reshape(label_map, [size[0], size[1], 2]),
      'image_id': source['image_id'],
    }

  def first_frame(self, index: tf.Tensor) -> tf.Tensor:
    """The index of the first frame of a frame's sequence: int64 scalar."""
    return self._first[index]

  def image(self, image_id: int) -> np.ndarray:
    """The picture, uint8 `[h0, w0, 3]`; InvalidArgumentError if broken."""
    source = self.encoded_image(tf.constant(self._index_of[image_id], tf.int64))
    whole = tf.concat([[0, 0], source['size']], axis=0)
    return byte_ranges.decode_window(source['image'], whole).numpy()

  def ground_truth(self, image_id: int) -> maps.PanopticMap:
    """The segments of an image, crowds among them.

    Raises:
      ValueError: If the labels are broken or contradict the annotation.
    """
    index, content = self._index_of[image_id], self._content
    name = content.labels.name(index)
    try:
      ids = png.decode_ids(content.labels.read(index), content.encoding)
    except ValueError as error:
      raise ValueError(f'{name}: {error}') from error
    if ids.shape != tuple(content.sizes[index]):
      raise ValueError(f'{name}: {byte_ranges.SIZE}')
    start, end = content.splits[index : index + 2]
    rows = content.segments[start:end]
    found, _ = runs.areas(ids)
    if set(found.tolist()) - {0} != set(rows[:, 0].tolist()) - {0}:
      raise ValueError(f'{name}: {IDS}')
    void, of_void = None, rows[rows[:, 1] == 0, 0]
    if of_void.size:
      void = np.isin(ids, of_void)
      ids = np.where(void, 0, ids)
    segments = split_index.segments_of(content, index)
    return maps.PanopticMap(ids, segments, void)

  def file_name(self, image_id: int) -> str:
    """The name of the label file, which result files share."""
    return self._content.names[self._index_of[image_id]]
