"""Instance ids: drawn at random for every training example (section 3).

A label map is int32 `[..., 2]`: channel 0 is the contiguous class, channel 1 a
number for each segment of an image. Void is 0 in both.
"""

import tensorflow as tf


def rank_by_area(
  numbers: tf.Tensor, size: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
  """Ranks the segments of each image by their number of pixels.

  Args:
    numbers: int32 `[B, ...]`, a segment number in 0..size-1 at each pixel; 0
      is void.
    size: The most segments of an image, plus one for void.

  Returns:
    areas: int32 `[B, size]`, pixels by segment number.
    ranks: int32 `[B, size]`, 1 for the largest segment, 2 for the next; ties go
      by number, segments without a pixel come last, void has rank 0.
  """
  flat = tf.reshape(numbers, [tf.shape(numbers)[0], -1])
  areas = tf.math.bincount(flat, minlength=size, maxlength=size, axis=-1)
  order = tf.argsort(areas[:, 1:], direction='DESCENDING', stable=True)
  ranks = tf.argsort(order) + 1
  return areas, tf.pad(ranks, [[0, 0], [1, 0]])


def draw_instance_ids(
  label_map: tf.Tensor, max_instances: int, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
  """Gives each segment a random instance id (section 3 of the paper).

  The ids of an image are drawn without replacement from 1..K-1. Where there
  are more segments than ids, the smallest become void. Segments are ranked by
  the pixels they have here, so one outside the crop takes no id. The frames of
  a video share one draw: give them as one example `[B, T, h, w, 2]`.

  Args:
    label_map: int32 `[B, ..., 2]`, channel 1 any segment numbers, 0 for void.
    max_instances: K; ids go from 1 to K-1.
    seed: int32 or int64 `[B, 2]`, one for each example.

  Returns:
    The label map with drawn ids, int32 `[B, ..., 2]`, and the number of
    segments that got no id, int32 `[B]`.
  """
  # Both channels as one integer, the number in its upper half: four times as
  # fast as to take them apart and to stack them again.
  both = tf.bitcast(label_map, tf.int64)
  numbers = tf.cast(tf.bitwise.right_shift(both, 32), tf.int32)
  areas, ranks = rank_by_area(numbers, tf.reduce_max(numbers) + 1)
  ids = tf.map_fn(
    lambda s: tf.random.experimental.stateless_shuffle(
      tf.range(1, max_instances), s
    ),
    seed,
    fn_output_signature=tf.TensorSpec([max_instances - 1], tf.int32),
  )
  ids = tf.pad(ids, [[0, 0], [1, 0]])  # Rank 0 is void and stays 0.
  has_id = ranks < max_instances
  id_of = tf.gather(ids, tf.where(has_id, ranks, 0), batch_dims=1)
  num_dropped = tf.reduce_sum(tf.cast(~has_id & (areas > 0), tf.int32), axis=1)
  # The count of pixels does not know the number of examples.
  num_dropped = tf.ensure_shape(num_dropped, label_map.shape[:1])
  # For each pixel its id, and a mask that removes the class if there is none.
  table = tf.stack([-tf.cast(id_of > 0, tf.int32), id_of], axis=-1)
  table = tf.gather(tf.bitcast(table, tf.int64), numbers, batch_dims=1)
  upper_half = tf.constant(-1 << 32, tf.int64)
  drawn = tf.bitwise.bitwise_and(tf.bitwise.bitwise_or(both, upper_half), table)
  return tf.bitcast(drawn, tf.int32), num_dropped
