"""Encoded pictures: where their bytes lie, and their way into the graph.

A picture is a whole file, or a stretch of a file that holds many: TFDS keeps
JPEG and PNG files as they are inside its TFRecords. Knowing where each starts,
any of them can be read by itself, so that prepared data sets are read in any
order, and from any step on, just as a folder is.
"""

import dataclasses
import pathlib
from typing import Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf

BROKEN = 'the file is broken or cut short; fetch it again'
SIZE = 'the size differs from the one in the annotation'
DEPTH = (
  'the PNG has another bit depth than its data set; save it with {} bits a '
  'channel'
)

_JPEG, _PNG = b'\xff\xd8\xff', b'\x89PNG'
_JPEG_END, _PNG_END = b'\xff\xd9', b'IEND'


@dataclasses.dataclass(frozen=True)
class ByteRanges:
  """Stretches of files.

  Attributes:
    paths: The files.
    file: int32 `[N]`, which of them each stretch is in.
    start: int64 `[N]`, its first byte; None: each is a whole file.
    length: int64 `[N]`, its bytes; None like `start`.
  """

  paths: Tuple[str, ...]
  file: np.ndarray
  start: Optional[np.ndarray] = None
  length: Optional[np.ndarray] = None

  @classmethod
  def whole_files(cls, paths: Sequence[str]) -> 'ByteRanges':
    return cls(tuple(paths), np.arange(len(paths), dtype=np.int32))

  def name(self, index: int) -> str:
    """What messages call it: the file's path, and its place in there."""
    path = self.paths[self.file[index]]
    return path if self.start is None else f'{path} at {self.start[index]}'

  def read(self, index: int) -> bytes:
    """The bytes, on the host; OSError if they cannot be read."""
    path = self.paths[self.file[index]]
    if self.start is None:
      return pathlib.Path(path).read_bytes()
    with open(path, 'rb') as file:
      file.seek(self.start[index])
      return file.read(self.length[index])


class Reader:
  """Reads blobs inside a graph."""

  def __init__(self, blobs: ByteRanges, cache: bool = False):
    """With `cache`, reads all of them now and keeps their bytes in memory."""
    self._whole = blobs.start is None
    self._paths = tf.constant(blobs.paths, tf.string)
    self._file = tf.constant(blobs.file)
    self._bytes = None
    if not self._whole:
      sizes = [tf.io.gfile.stat(path).length for path in blobs.paths]
      after = np.array(sizes, np.int64)[blobs.file] - blobs.start - blobs.length
      places = np.stack([blobs.start, blobs.length, after], axis=1)
      self._places = tf.constant(places, tf.int64)
    if cache:
      content = [blobs.read(i) for i in range(len(blobs.file))]
      self._bytes = tf.constant(content)

  def name(self, index: tf.Tensor) -> tf.Tensor:
    """As `ByteRanges.name`."""
    path = self._paths[self._file[index]]
    if self._whole:
      return path
    place = tf.strings.as_string(self._places[index, 0])
    return tf.strings.join([path, ' at ', place])

  def read(self, index: tf.Tensor) -> tf.Tensor:
    """The bytes, a string scalar, for an int64 scalar."""
    if self._bytes is not None:
      return self._bytes[index]
    path = self._paths[self._file[index]]
    if self._whole:
      return tf.io.read_file(path)
    # The one operation that reads from the middle of a file: as a file of
    # records with one record, all else being header and footer. It seeks.
    start, length, after = tf.unstack(self._places[index])
    return tf.data.FixedLengthRecordDataset(
      path, length, header_bytes=start, footer_bytes=after, buffer_size=length
    ).get_single_element()


def is_jpeg(content: tf.Tensor) -> tf.Tensor:
  """Whether a file starts as a JPEG does: bool scalar."""
  return tf.strings.substr(content, 0, len(_JPEG)) == _JPEG


def is_whole(content: tf.Tensor) -> tf.Tensor:
  """Whether a JPEG or PNG starts as it should and reaches its end marker.

  The decoders would not say which file is broken.
  """

  def ends(marker, after):
    size = len(marker) + after
    length = tf.strings.length(content)
    last = tf.strings.substr(content, tf.maximum(length - size, 0), len(marker))
    # Some programs write more after the end; only then all is searched.
    return tf.cond(
      last == marker,
      lambda: True,
      lambda: tf.size(tf.strings.split(content, marker)) > 1,
    )

  is_png = tf.strings.substr(content, 0, len(_PNG)) == _PNG
  return tf.cond(
    is_jpeg(content),
    lambda: ends(_JPEG_END, 0),
    # The end marker of a PNG is followed by its checksum.
    lambda: is_png & (tf.strings.length(content) > 33) & ends(_PNG_END, 4),
  )


def require_whole(content: bytes) -> None:
  """As `is_whole`, on the host, where Pillow lets some cuts pass.

  Raises:
    ValueError: If it is not; a clause that does not name the file.
  """
  for head, end in ((_JPEG, _JPEG_END), (_PNG, _PNG_END)):
    if content.startswith(head) and end in content:
      return
  raise ValueError(BROKEN)


def size_of(content: tf.Tensor) -> tf.Tensor:
  """Rows and columns by the header of a whole JPEG or PNG: int32 `[2]`."""
  return tf.cond(
    is_jpeg(content),
    lambda: tf.io.extract_jpeg_shape(content)[:2],
    lambda: _png_size(content),
  )


def _png_size(content: tf.Tensor) -> tf.Tensor:
  header = tf.io.decode_raw(tf.strings.substr(content, 16, 8), tf.uint8)
  high_to_low = tf.constant([1 << 24, 1 << 16, 1 << 8, 1])
  width_height = tf.reshape(tf.cast(header, tf.int32), [2, 4])
  return tf.reduce_sum(width_height * high_to_low, axis=1)[::-1]


def png_depth(content: tf.Tensor) -> tf.Tensor:
  """Bits a channel of a whole PNG: int32 scalar."""
  depth = tf.io.decode_raw(tf.strings.substr(content, 24, 1), tf.uint8)
  return tf.cast(depth[0], tf.int32)


def decode_window(content: tf.Tensor, window: tf.Tensor) -> tf.Tensor:
  """A part of a picture; of a JPEG, little more than it is decoded.

  Args:
    content: A whole JPEG or PNG; grey ones become colour, CMYK becomes RGB.
    window: int32 `[4]`: first row, first column, rows, columns.

  Returns:
    uint8 `[rows, columns, 3]`.
  """

  def png():
    first, size = window[:2], window[2:]
    picture = tf.io.decode_png(content, channels=3)
    return tf.slice(
      picture, tf.concat([first, [0]], 0), tf.concat([size, [3]], 0)
    )

  return tf.cond(
    is_jpeg(content),
    lambda: tf.io.decode_and_crop_jpeg(content, window, channels=3),
    png,
  )


def require(condition: tf.Tensor, name: tf.Tensor, message: str):
  """An assertion whose message names the file."""
  return tf.debugging.Assert(
    condition, [tf.strings.join([name, ': ', message])]
  )
