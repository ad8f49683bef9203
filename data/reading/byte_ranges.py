"""Encoded images in the graph: reading their bytes, and decoding.

An image is a whole file, or a range of a file that holds many: TFDS keeps JPEG
and PNG files as they are inside its TFRecords. As the index says where each
starts, any of them can be read by itself, so that packed data sets are read in
any order, and from any step on, just as a folder is.
"""

import zlib

import numpy as np
import tensorflow as tf

from data.reading import orientation as orientation_lib
from data.reading import split_index

SIZE = 'the size differs from the one in the annotation'

_JPEG, _PNG = b'\xff\xd8\xff', b'\x89PNG'
_JPEG_END, _PNG_END = b'\xff\xd9', b'IEND'
# The difference in the checksums of headers of colour types 3 and 0; a CRC is
# linear, so the bytes before and after the type do not matter, only how many
# come after.
_PALETTE_TO_GRAY = np.frombuffer(
  (zlib.crc32(b'\3\0\0\0') ^ zlib.crc32(b'\0\0\0\0')).to_bytes(4), 'B'
)


class Reader:
  """Reads byte ranges inside a graph."""

  def __init__(self, ranges: split_index.ByteRanges, cache: bool = False):
    """With `cache`, reads all of them now and keeps their bytes in memory."""
    self._whole = ranges.start is None
    self._paths = tf.constant(ranges.paths, tf.string)
    self._file = tf.constant(ranges.file)
    self._bytes = None
    if ranges.start is not None and ranges.length is not None:
      sizes = [tf.io.gfile.stat(path).length for path in ranges.paths]
      after = np.array(sizes, np.int64)[ranges.file]
      after = after - ranges.start - ranges.length
      places = np.stack([ranges.start, ranges.length, after], axis=1)
      self._places = tf.constant(places, tf.int64)
    if cache:
      content = [ranges.read(i) for i in range(len(ranges.file))]
      self._bytes = tf.constant(content)

  def name(self, index: tf.Tensor) -> tf.Tensor:
    """As `split_index.ByteRanges.name`."""
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


def stored_size(content: tf.Tensor) -> tf.Tensor:
  """Rows and columns by the header of a whole JPEG or PNG: int32 `[2]`."""

  def png():  # Width and height, the highest byte first.
    header = tf.strings.substr(content, 16, 8)
    return tf.io.decode_raw(header, tf.int32, little_endian=False)[::-1]

  return tf.cond(
    is_jpeg(content), lambda: tf.io.extract_jpeg_shape(content)[:2], png
  )


def size_of(content: tf.Tensor) -> tf.Tensor:
  """Rows and columns of a whole JPEG or PNG as it is shown: int32 `[2]`."""
  turn = orientation_lib.orientation(content)
  return orientation_lib.upright_size(stored_size(content), turn)


def png_depth(content: tf.Tensor) -> tf.Tensor:
  """Bits a channel of a whole PNG: int32 scalar."""
  depth = tf.io.decode_raw(tf.strings.substr(content, 24, 1), tf.uint8)
  return tf.cast(depth[0], tf.int32)


def png_color_type(content: tf.Tensor) -> tf.Tensor:
  """The colour type of a whole PNG: int32 scalar."""
  value = tf.io.decode_raw(tf.strings.substr(content, 25, 1), tf.uint8)
  return tf.cast(value[0], tf.int32)


def decode_values(content: tf.Tensor) -> tf.Tensor:
  """The values of a PNG with one channel, not the colours of its palette.

  TensorFlow's decoder has no such option, but the values of a palette are
  stored as those of a gray PNG are; so that is what the header is made to say.

  Args:
    content: A whole PNG with a palette, or a gray one, of 8 bits or fewer.

  Returns:
    uint8 `[rows, columns, 1]`.
  """
  has_palette = tf.strings.substr(content, 25, 1) == b'\x03'
  gray = tf.cond(
    has_palette, lambda: _as_gray(content), lambda: tf.identity(content)
  )
  values = tf.io.decode_png(gray, channels=1)
  # The decoder stretches fewer bits to 0..255.
  depth = png_depth(content)
  stretch = tf.cast(255 // (2**depth - 1), tf.uint8)
  return tf.cond(
    depth < 8,
    lambda: values // stretch,
    lambda: values,
  )


def _as_gray(content: tf.Tensor) -> tf.Tensor:
  """The same PNG with a header of colour type gray, and its checksum."""
  checksum = tf.io.decode_raw(tf.strings.substr(content, 29, 4), tf.uint8)
  checksum = tf.bitwise.bitwise_xor(checksum, _PALETTE_TO_GRAY)
  every_byte = tf.constant([bytes([value]) for value in range(256)])
  checksum = tf.gather(every_byte, tf.cast(checksum, tf.int32))
  return tf.strings.join(
    [
      tf.strings.substr(content, 0, 25),
      b'\x00',
      tf.strings.substr(content, 26, 3),
      tf.strings.reduce_join(checksum),
      tf.strings.substr(content, 33, -1),
    ]
  )


def decode_window(
  content: tf.Tensor, window: tf.Tensor, turn: tf.Tensor | None = None
) -> tf.Tensor:
  """A part of an image; of a JPEG, little more than the part is decoded.

  Args:
    content: A whole JPEG or PNG; gray ones become colour, CMYK becomes RGB.
    window: int32 `[4]`: first row, first column, rows, columns of the image as
      it is shown.
    turn: EXIF's orientation; None: it is looked up.

  Returns:
    uint8 `[rows, columns, 3]`.
  """
  if turn is None:
    turn = orientation_lib.orientation(content)
  return tf.cond(
    turn == 1,
    lambda: _decode_stored(content, window),
    lambda: _decode_turned(content, window, turn),
  )


# A call, for the reason given in `data.reading.orientation`.
@tf.function(
  input_signature=[
    tf.TensorSpec([], tf.string),
    tf.TensorSpec([4], tf.int32),
    tf.TensorSpec([], tf.int32),
  ],
  autograph=False,
  experimental_attributes={'_noinline': True},
)
def _decode_turned(
  content: tf.Tensor, window: tf.Tensor, turn: tf.Tensor
) -> tf.Tensor:
  """As `decode_window`, of an image that is not stored upright."""
  size = orientation_lib.upright_size(stored_size(content), turn)
  stored = orientation_lib.stored_window(window, size, turn)
  return orientation_lib.upright(_decode_stored(content, stored), turn)


def _decode_stored(content: tf.Tensor, window: tf.Tensor) -> tf.Tensor:
  """As `decode_window`, but of the pixels as they are stored."""

  def png():
    first, size = window[:2], window[2:]
    image = tf.io.decode_png(content, channels=3)
    return tf.slice(
      image, tf.concat([first, [0]], 0), tf.concat([size, [3]], 0)
    )

  return tf.cond(
    is_jpeg(content),
    lambda: tf.io.decode_and_crop_jpeg(content, window, channels=3),
    png,
  )


def require(condition: tf.Tensor, name: tf.Tensor, message: str | tf.Tensor):
  """An assertion whose message names the file."""
  return tf.debugging.Assert(
    condition, [tf.strings.join([name, ': ', message])]
  )
