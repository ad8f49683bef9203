"""The protocol of a data set, for the pipelines, tasks and scorers.

Training and evaluation take examples in two stages. `Dataset.load` does for a
whole batch what is cheaper to do at once: a procedural set renders its images,
and a set of files passes the indices on. A `LazyExample` then decodes the parts
of one example that the transforms ask for.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from panoptic import classes as classes_lib
from panoptic import image_ids as image_ids_lib
from panoptic import maps


class LazyExample(Protocol):
  """An image, or a frame of a video, in a graph; decoded where it is needed.

  Attributes:
    size: int32 `[2]`, rows and columns.
    frame: int64 scalar, the number of the frame in its video; 0 for an image.
  """

  size: tf.Tensor
  frame: tf.Tensor

  def image(self, window: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes a part of the image.

    Args:
      window: int32 `[4]`: first row, first column, rows, columns.

    Returns:
      uint8 `[rows, columns, 3]`, and the window that it fills: the one asked
      for, or a larger one.
    """

  def label_map(
    self, rows: tf.Tensor, columns: tf.Tensor, offset: int = 0
  ) -> tf.Tensor:
    """Looks up labels at the crossings of rows and columns.

    Args:
      rows: int32 `[h]`.
      columns: int32 `[w]`.
      offset: Of a frame of the same video, from this one. It must exist.

    Returns:
      int32 `[h, w, 2]`: class, and a number that tells the segments of a video
      apart; void and crowd 0.
    """


class Dataset(Protocol):
  """Images, or the frames of videos, sequence by sequence and in order.

  The numbers in label maps, and the segment ids of the ground truth, are the
  same for a thing in all frames of a video.

  Attributes:
    classes: The class table.
    num_examples: Number of images or frames.
    image_ids: The number of each, in the order of evaluation: its id in the
      data set where these are numbers.
    sequences: The indices of each video's frames, by its name; {} for images.
    parallel_reads: How many examples to `read` at a time.
  """

  classes: classes_lib.ClassTable
  num_examples: int
  image_ids: Sequence[int]
  sequences: Mapping[str, range]
  parallel_reads: int

  def load(self, indices: tf.Tensor, past_frames: Sequence[int] = ()) -> Any:
    """Starts a batch of examples.

    Args:
      indices: int64 `[B]`, each below `num_examples`.
      past_frames: Offsets of the earlier frames whose labels are needed.

    Returns:
      Tensors `[B, ...]`; rows of them are for `read`.
    """

  def read(self, loaded: Any, past_frames: Sequence[int] | None = None) -> Any:
    """Reads what an example is made of, from files that may be far away.

    It waits more than it computes; so many examples are read at a time.

    Args:
      loaded: A row of `load`'s tensors.
      past_frames: As for `load`; None: no labels are needed.

    Returns:
      Tensors, for `lazy_example`.
    """

  def lazy_example(self, read: Any) -> LazyExample:
    """The example of what `read` returned."""

  def ground_truth(self, image_id: int) -> maps.PanopticMap:
    """Ground truth of an image, on the host."""

  def image(self, image_id: int) -> np.ndarray:
    """The image, uint8 `[h0, w0, 3]`, on the host."""

  def file_name(self, image_id: int) -> str:
    """The name of its labels in result files."""

  def result_id(self, image_id: int) -> image_ids_lib.ImageId:
    """Its id in result files: the data set's own, perhaps a text."""


class DecodedExample:
  """A `LazyExample` of tensors."""

  def __init__(
    self,
    image: tf.Tensor,
    label_maps: Mapping[int, tf.Tensor] | None = None,
    frame: tf.Tensor | None = None,
  ):
    """Keeps the tensors.

    Args:
      image: uint8 `[h0, w0, 3]`.
      label_maps: int32 `[h0, w0, 2]`, by the offset of the frame; None: there
        are no labels.
      frame: int64 scalar, the number of the frame in its video; None: 0.
    """
    self._image = tf.convert_to_tensor(image)
    self._label_maps = label_maps or {}
    self.frame = tf.constant(0, tf.int64) if frame is None else frame
    size = self._image.shape[:2]
    # A size that is known while the graph is made spares resizing.
    known = size.is_fully_defined()
    self.size = (
      tf.constant(size.as_list()) if known else tf.shape(self._image)[:2]
    )

  def image(self, window: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The whole image, whatever the window."""
    del window
    return self._image, tf.concat([[0, 0], self.size], axis=0)

  def label_map(
    self, rows: tf.Tensor, columns: tf.Tensor, offset: int = 0
  ) -> tf.Tensor:
    """See `LazyExample`."""
    label_map = tf.gather(self._label_maps[offset], rows)
    return tf.gather(label_map, columns, axis=1)
