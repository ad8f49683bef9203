"""Data sets of files: images, or videos frame by frame."""

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from data.reading import byte_ranges, masks, orientation, split_index
from panoptic import image_ids as image_ids_lib
from panoptic import images, maps, one_channel, png

IDS = 'the segment ids in the PNG and the annotation differ'
_UNTURNED_IMAGE = (
  'its EXIF tag "Orientation" is ',
  f', and the annotation has its size without that turn: {images.MEND_TURN}',
)
_UNTURNED_LABELS = (
  f'{byte_ranges.SIZE} by a quarter turn; where the image has the EXIF tag '
  f'"Orientation", {images.MEND_TURN}'
)


class Content(NamedTuple):
  """The files of an example.

  Attributes:
    index: int64 scalar.
    image: String, a whole JPEG or PNG.
    labels: Strings, the label files of the frame and of past ones by their
      offsets; '' before the first frame of a video, and {} where none are
      needed.
  """

  index: tf.Tensor
  image: tf.Tensor
  labels: Mapping[int, tf.Tensor]


class FileDataset:
  """A `Dataset` of encoded images; see `data.dataset`.

  Messages of errors name the file and the fix.
  """

  # With 30 ms a file, as of a bucket, and two files an example, enough for a
  # thousand examples a second.
  parallel_reads = 64

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
    self.image_ids: Sequence[int] = content.image_ids.tolist()
    self.num_examples = len(self.image_ids)
    self._index_of = {key: i for i, key in enumerate(self.image_ids)}
    self.sequences: Mapping[str, range] = {}
    frames = np.zeros(self.num_examples, np.int64)
    if content.sequence is not None:
      ends = np.searchsorted(
        content.sequence, np.arange(len(content.sequences) + 1)
      ).tolist()
      ranges = [range(*pair) for pair in zip(ends, ends[1:], strict=False)]
      self.sequences = dict(zip(content.sequences, ranges, strict=True))
      frames = np.concatenate([np.arange(len(part)) for part in ranges])

    table, splits = split_index.label_table(content)
    self._table = tf.constant(table, tf.int32)
    self._table_splits = tf.constant(splits, tf.int64)
    self._ids = tf.constant(content.image_ids, tf.int64)
    self.sizes = tf.constant(content.sizes, tf.int32)
    self.frames = tf.constant(frames, tf.int64)
    self._images = byte_ranges.Reader(content.images, cache)
    self._labels = byte_ranges.Reader(content.labels, cache)

  @property
  def content(self) -> split_index.SplitIndex:
    """The split."""
    return self._content

  def load(
    self, indices: tf.Tensor, past_frames: Sequence[int] = ()
  ) -> tf.Tensor:
    """The indices: files are better read one by one."""
    del past_frames
    return indices

  def read(
    self, loaded: tf.Tensor, past_frames: Sequence[int] | None = None
  ) -> Content:
    """The content of the files of an index; see `data.dataset`."""
    labels = {
      offset: tf.cond(
        self.frames[loaded] + offset >= 0,
        functools.partial(self._labels.read, loaded + offset),
        lambda: '',
      )
      for offset in (() if past_frames is None else (*past_frames, 0))
    }
    return Content(loaded, self._images.read(loaded), labels)

  def lazy_example(self, read: Content) -> 'FileExample':
    """The image or frame that was read."""
    return FileExample(self, read)

  def encoded_image(
    self, index: tf.Tensor, content: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """Checks an image without decoding it.

    Args:
      index: int64 scalar below `num_examples`.
      content: String, its file.

    Returns:
      String, a whole JPEG or PNG; and its EXIF orientation, int32 scalar.

    Raises:
      InvalidArgumentError: If the file is broken or of another size.
    """
    name, expected = self._images.name(index), self.sizes[index]
    whole = byte_ranges.require(byte_ranges.is_whole(content), name, png.BROKEN)
    with tf.control_dependencies([whole]):
      stored = byte_ranges.stored_size(content)
      turn = orientation.orientation(content)
    size = orientation.upright_size(stored, turn)
    start, end = _UNTURNED_IMAGE
    message = tf.where(
      tf.reduce_all(stored == expected),
      tf.strings.join([start, tf.strings.as_string(turn), end]),
      byte_ranges.SIZE,
    )
    same = tf.reduce_all(size == expected)
    with tf.control_dependencies([byte_ranges.require(same, name, message)]):
      return tf.identity(content), turn

  def label_pixels(self, index: tf.Tensor, content: tf.Tensor) -> tf.Tensor:
    """Decodes the labels of an image, for `label_map`.

    Args:
      index: int64 scalar, of the image.
      content: String, its label file.

    Returns:
      uint8 or uint16 `[h0, w0, c]`, the pixels of the file.

    Raises:
      InvalidArgumentError: If the file is broken, or of another size or depth.
    """
    name, expected = self._labels.name(index), self.sizes[index]
    whole = byte_ranges.require(byte_ranges.is_whole(content), name, png.BROKEN)
    with tf.control_dependencies([whole]):
      size = byte_ranges.stored_size(content)
    message = tf.where(
      tf.reduce_all(size == expected[::-1]), _UNTURNED_LABELS, byte_ranges.SIZE
    )
    same = byte_ranges.require(tf.reduce_all(size == expected), name, message)
    encoding = self._content.encoding
    with tf.control_dependencies([same]):
      depth = byte_ranges.png_depth(content)
      color_type = byte_ranges.png_color_type(content)
    fits, is_coco = png.fits(depth, encoding), encoding == png.COCO
    has_one = one_channel.may_hold_ids(depth, color_type) & is_coco
    check = byte_ranges.require(
      fits | has_one, name, png.DEPTH.format(encoding.bits)
    )
    with tf.control_dependencies([check]):
      if (encoding.channels, encoding.bits) == (1, 8):
        return byte_ranges.decode_values(content)
      dtype = tf.uint16 if encoding.bits == 16 else tf.uint8
      if not is_coco:
        return tf.io.decode_png(content, encoding.channels, dtype)
      known = self._table_of(index)[:, 0]
      return tf.cond(
        has_one,
        lambda: masks.one_channel_pixels(content, known, name),
        lambda: tf.io.decode_png(content, encoding.channels, dtype),
      )

  def _table_of(self, index: tf.Tensor) -> tf.Tensor:
    """An image's rows of segment id, class and number: int32 `[n, 3]`."""
    start, end = self._table_splits[index], self._table_splits[index + 1]
    return self._table[start:end]

  def label_map(
    self, pixels: tf.Tensor, index: tf.Tensor, complete: bool = False
  ) -> tf.Tensor:
    """Looks up the class and number of pixels.

    The pixels of a mask are far fewer than those of the file; so they are taken
    from it first.

    Args:
      pixels: `[h, w, c]`, any of those that `label_pixels` gave.
      index: int64 scalar, of the image.
      complete: Whether these are all pixels, which must show all segments.

    Returns:
      int32 `[h, w, 2]`: class and number; void and crowd 0.

    Raises:
      InvalidArgumentError: If a pixel's id is not in the annotation.
    """
    encoding = self._content.encoding
    pixels = tf.cast(pixels, tf.int32)
    ids = pixels[..., 0] + encoding.offset
    for channel in range(1, encoding.channels):
      ids += pixels[..., channel] * encoding.weights[channel]
    table = self._table_of(index)
    rows, flat = tf.shape(table)[0], tf.reshape(ids, [-1])
    row = tf.minimum(tf.searchsorted(table[:, 0], flat), rows - 1)
    known = tf.reduce_all(tf.gather(table[:, 0], row) == flat)
    if complete:
      present = tf.math.bincount(row, minlength=rows) > 0
      known &= tf.reduce_all(present[1:])
    check = byte_ranges.require(known, self._labels.name(index), IDS)
    with tf.control_dependencies([check]):
      label_map = tf.gather(table[:, 1:], row)
    return tf.reshape(label_map, tf.concat([tf.shape(ids), [2]], 0))

  def example(self, index: tf.Tensor) -> dict[str, tf.Tensor]:
    """Reads and decodes one example, and checks all of it.

    Args:
      index: int64 scalar below `num_examples`.

    Returns:
      'image': uint8 `[h0, w0, 3]`; 'label_map': int32 `[h0, w0, 2]`, class and
      number, void and crowd 0; 'image_id': int64.

    Raises:
      InvalidArgumentError: If a file is broken or contradicts the annotation.
    """
    image = self._whole_image(index)
    pixels = self.label_pixels(index, self._labels.read(index))
    return {
      'image': image,
      'label_map': self.label_map(pixels, index, complete=True),
      'image_id': self._ids[index],
    }

  def image(self, image_id: int) -> np.ndarray:
    """The image, uint8 `[h0, w0, 3]`; InvalidArgumentError if broken."""
    index = tf.constant(self._index_of[image_id], tf.int64)
    return self._whole_image(index).numpy()

  def _whole_image(self, index: tf.Tensor) -> tf.Tensor:
    window = tf.concat([[0, 0], self.sizes[index]], axis=0)
    return self.lazy_example(self.read(index)).image(window)[0]

  def ground_truth(self, image_id: int) -> maps.PanopticMap:
    """The segments of an image, crowds among them.

    Raises:
      ValueError: If the labels are broken or contradict the annotation.
    """
    index, content = self._index_of[image_id], self._content
    name = content.labels.name(index)
    segments = split_index.segments_of(content, index)

    def find_segments(ids, areas):
      del areas
      if set(ids.tolist()) != {s.id for s in segments} - {maps.VOID}:
        raise ValueError(IDS)
      return segments

    try:
      ids = png.decode_ids(
        content.labels.read(index), content.encoding, [s.id for s in segments]
      )
      if ids.shape != (size := tuple(content.sizes[index].tolist())):
        turned = ids.shape == size[::-1]
        raise ValueError(_UNTURNED_LABELS if turned else byte_ranges.SIZE)
      return maps.from_label_ids(ids, find_segments)
    except ValueError as error:
      raise ValueError(f'{name}: {error}') from error

  def file_name(self, image_id: int) -> str:
    """The name of the label file, which result files share."""
    return self._content.names[self._index_of[image_id]]

  def result_id(self, image_id: int) -> image_ids_lib.ImageId:
    """The data set's own id of an image, which result files state."""
    own = self._content.result_ids
    return own[self._index_of[image_id]] if own else image_id


class FileExample:
  """A `LazyExample` of files; see `data.dataset`."""

  def __init__(self, dataset: FileDataset, read: Content):
    self._dataset, self._read = dataset, read
    self.size = dataset.sizes[read.index]
    self.frame = dataset.frames[read.index]

  def image(self, window: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    content, turn = self._dataset.encoded_image(
      self._read.index, self._read.image
    )
    return byte_ranges.decode_window(content, window, turn), window

  def label_map(
    self, rows: tf.Tensor, columns: tf.Tensor, offset: int = 0
  ) -> tf.Tensor:
    index = self._read.index + offset
    content = self._read.labels[offset]
    pixels = tf.gather(self._dataset.label_pixels(index, content), rows)
    pixels = tf.gather(pixels, columns, axis=1)
    return self._dataset.label_map(pixels, index)
