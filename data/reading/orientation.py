"""EXIF's orientation of encoded images, in the graph.

The same as `panoptic.images` finds on the host: an image is read as it is
shown. https://www.cipa.jp/e/std/std-sec.html, EXIF 2.32, section 4.6.4.
"""

import tensorflow as tf

from panoptic import images

_EXIF = b'Exif\0\0'
# How EXIF starts, and whether it is little-endian then.
_ORDERS = [(start, order == '<') for start, order in images.TIFF.items()]


def orientation(content: tf.Tensor) -> tf.Tensor:
  """EXIF's orientation of an image.

  Args:
    content: A whole JPEG or PNG.

  Returns:
    int32 scalar, 1 to 8; 1 where the image has none.
  """

  # Most images lack the word, and no operation searches as fast as this one
  # does for a word without alternatives.
  def length_without(word):
    rest = tf.strings.regex_replace(content, word, '', replace_global=False)
    return tf.strings.length(rest)

  length = tf.cond(
    _is_jpeg(content),
    lambda: length_without(r'Exif\x00\x00'),
    lambda: length_without('eXIf'),
  )
  found = length < tf.strings.length(content)
  return tf.cond(found, lambda: _find(content), lambda: 1)


# A call, since the executor goes through all operations of a branch, though it
# may not be taken.
@tf.function(
  input_signature=[tf.TensorSpec([], tf.string)],
  autograph=False,
  experimental_attributes={'_noinline': True},
)
def _find(content: tf.Tensor) -> tf.Tensor:
  """As `orientation`, without the search: the exact walk."""
  return _orientation_in(
    tf.cond(
      _is_jpeg(content),
      lambda: _exif_of_jpeg(content),
      lambda: _exif_of_png(content),
    )
  )


def _is_jpeg(content: tf.Tensor) -> tf.Tensor:
  return tf.strings.substr(content, 0, 2) == b'\xff\xd8'


def upright_size(size: tf.Tensor, turn: tf.Tensor) -> tf.Tensor:
  """Rows and columns of an image as it is shown.

  Args:
    size: int32 `[2]`, rows and columns as they are stored.
    turn: `orientation`.
  """
  return tf.where(turn < 5, size, size[::-1])


def stored_window(
  window: tf.Tensor, size: tf.Tensor, turn: tf.Tensor
) -> tf.Tensor:
  """Where a part of the image as it is shown lies among the stored pixels.

  Args:
    window: int32 `[4]`: first row, first column, rows, columns.
    size: int32 `[2]`, rows and columns of the image as it is shown.
    turn: `orientation`.

  Returns:
    int32 `[4]`, as `window`.
  """
  first, part = window[:2], window[2:]
  first = tf.where(_flips(turn), size - first - part, first)
  return tf.concat([upright_size(first, turn), upright_size(part, turn)], 0)


def upright(pixels: tf.Tensor, turn: tf.Tensor) -> tf.Tensor:
  """Turns stored pixels `[h, w, c]`, of all or a part, as they are shown."""
  pixels = tf.cond(
    turn < 5, lambda: pixels, lambda: tf.transpose(pixels, [1, 0, 2])
  )
  for axis, flip in enumerate(tf.unstack(_flips(turn))):
    pixels = tf.cond(
      flip, lambda p=pixels, a=axis: tf.reverse(p, [a]), lambda p=pixels: p
    )
  return pixels


def _flips(turn: tf.Tensor) -> tf.Tensor:
  """Whether rows and columns, after any swap, are reversed: bool `[2]`."""
  return tf.reduce_any(
    turn == tf.constant([[3, 4, 7, 8], [2, 3, 6, 7]]), axis=1
  )


def _exif_of_jpeg(content: tf.Tensor) -> tf.Tensor:
  """EXIF in the first such segment before the pixels; '' if there is none."""
  length = tf.strings.length(content)

  def at(place, count):
    return tf.strings.substr(content, tf.minimum(place, length), count)

  def size_of(place):  # Of a segment, less the two bytes of its marker.
    size = tf.io.decode_raw(
      tf.strings.join([at(place + 2, 2), b'\0\0']), tf.uint16, False
    )
    return tf.cast(size[0], tf.int32)

  def is_exif(place):
    return (at(place, 2) == b'\xff\xe1') & (at(place + 4, 6) == _EXIF)

  def goes_on(place):
    # Up to the start of scan, or to what is no marker.
    is_marker = (at(place, 1) == b'\xff') & (at(place, 2) != b'\xff\xda')
    return is_marker & tf.logical_not(is_exif(place))

  def step(place):
    # Before a marker there may be more bytes of 255 than one.
    is_fill = at(place, 2) == b'\xff\xff'
    return (place + tf.where(is_fill, 1, 2 + size_of(place)),)

  (place,) = tf.while_loop(goes_on, step, (2,))
  return tf.cond(
    is_exif(place),
    lambda: at(place + 4 + len(_EXIF), size_of(place) - 2 - len(_EXIF)),
    lambda: '',
  )


def _exif_of_png(content: tf.Tensor) -> tf.Tensor:
  """EXIF in a chunk, before or after the pixels; '' if there is none."""
  found = tf.constant(b'')
  for start, _ in _ORDERS:
    parts = tf.strings.split(content, b'eXIf' + start, maxsplit=1)
    found = tf.cond(
      tf.size(parts) > 1,
      lambda s=start, p=parts: tf.strings.join([s, p[1]]),
      lambda f=found: f,
    )
  return found


def _orientation_in(exif: tf.Tensor) -> tf.Tensor:
  """The orientation in EXIF, which starts as TIFF does: int32 scalar."""
  found = tf.constant(1)
  for start, little_endian in _ORDERS:
    found = tf.cond(
      (tf.strings.substr(exif, 0, len(start)) == start)
      & (tf.strings.length(exif) > 10),
      lambda little=little_endian: _entry(exif, little),
      lambda f=found: f,
    )
  return found


def _entry(exif: tf.Tensor, little_endian: bool) -> tf.Tensor:
  """The value among the entries of EXIF's first directory: int32 scalar."""
  length = tf.strings.length(exif)

  def numbers(place, count, dtype):
    size = count * dtype.size
    part = tf.strings.substr(exif, place, size)
    return tf.cast(tf.io.decode_raw(part, dtype, little_endian), tf.int32)

  (start,) = tf.unstack(numbers(4, 1, tf.int32), 1)
  start = tf.where((start < 0) | (start > length - 2), length - 2, start)
  (count,) = tf.unstack(numbers(start, 1, tf.uint16), 1)
  count = tf.minimum(count, (length - start - 2) // 12)
  # Six numbers of 16 bits each: tag, type, two of the count, value, nothing.
  entries = tf.reshape(numbers(start + 2, 6 * count, tf.uint16), [-1, 6])
  is_it = (
    (entries[:, 0] == images.ORIENTATION)
    & (entries[:, 1] == images.SHORT)
    & (entries[:, 2] + entries[:, 3] == 1)
  )
  values = tf.boolean_mask(entries[:, 4], is_it)
  value = tf.concat([values, [1]], 0)[0]
  return tf.where((value >= 1) & (value <= 8), value, 1)
