"""Label PNGs inside a graph; `panoptic.png` has their encodings."""

import tensorflow as tf

from panoptic import png


def decode(content: tf.Tensor, encoding: png.Encoding) -> tf.Tensor:
  """The pixels of a whole PNG: uint8 or uint16 `[h0, w0, channels]`."""
  dtype = tf.uint16 if encoding.bits == 16 else tf.uint8
  return tf.io.decode_png(content, channels=encoding.channels, dtype=dtype)


def segment_ids(pixels: tf.Tensor, encoding: png.Encoding) -> tf.Tensor:
  """Pixels `[..., channels]` to segment ids int32 `[...]`."""
  pixels = tf.cast(pixels, tf.int32)
  ids = pixels[..., 0] + encoding.offset
  for channel in range(1, encoding.channels):
    ids += pixels[..., channel] * encoding.weights[channel]
  return ids
