"""Masks of one channel in the graph; see `panoptic.one_channel`."""

import tensorflow as tf

from data.reading import byte_ranges
from panoptic import one_channel, png


# A call, for the reason given in `data.reading.orientation`.
@tf.function(
  input_signature=[
    tf.TensorSpec([], tf.string),
    tf.TensorSpec([None], tf.int32),
    tf.TensorSpec([], tf.string),
  ],
  autograph=False,
  experimental_attributes={'_noinline': True},
)
def one_channel_pixels(
  content: tf.Tensor, known: tf.Tensor, name: tf.Tensor
) -> tf.Tensor:
  """The pixels as those of an RGB mask with the same ids.

  Args:
    content: String, a whole PNG of one channel.
    known: int32 `[n]`, 0 and the segment ids of the annotation.
    name: String, the file in errors.

  Returns:
    uint8 `[h, w, 3]`.

  Raises:
    InvalidArgumentError: If neither values nor colours are segment ids.
  """

  def are_known(ids):
    present, _ = tf.unique(tf.reshape(ids, [-1]))
    return tf.reduce_all(tf.reduce_any(present[:, None] == known, axis=1))

  is_deep = byte_ranges.png_depth(content) == 16
  values = tf.cond(
    is_deep,
    lambda: tf.cast(tf.io.decode_png(content, 1, tf.uint16), tf.int32),
    lambda: tf.cast(byte_ranges.decode_values(content), tf.int32),
  )

  def of_values():
    digits = [values % 256, values // 256, tf.zeros_like(values)]
    return tf.cast(tf.concat(digits, axis=-1), tf.uint8)

  def of_colors():
    colors = tf.io.decode_png(content, 3)
    ids = tf.reduce_sum(tf.cast(colors, tf.int32) * png.COCO.weights, axis=-1)
    fit = are_known(ids) & tf.logical_not(is_deep)  # Else they would be cut.
    message = one_channel.MESSAGE.format(
      'its values are not the segment ids of the annotation'
    )
    with tf.control_dependencies([byte_ranges.require(fit, name, message)]):
      return tf.identity(colors)

  return tf.cond(are_known(values), of_values, of_colors)
