"""What a data set is to the pipelines, tasks and scorers.

Two kinds: those that render their examples, many at a time, and those that read
files, of which only what an example needs is to be decoded.
"""

from typing import Dict, Mapping, Protocol, Sequence

import numpy as np
import tensorflow as tf

from panoptic import classes as classes_lib
from panoptic import maps


class Dataset(Protocol):
  """Pictures, or the frames of videos, sequence by sequence and in order.

  The numbers of label maps, and the segment ids of the ground truth, are the
  same for a thing in all frames of a video.

  Attributes:
    classes: its classes.
    num_examples: how many pictures or frames there are.
    image_ids: of each, in the order of evaluation.
    sequences: the indices of each video's frames, by its name; {} for pictures.
    batched: whether it renders, and is a `Rendered`; else it is a `Read`.
  """

  classes: classes_lib.ClassTable
  num_examples: int
  image_ids: Sequence[int]
  sequences: Mapping[str, range]
  batched: bool

  def example(self, index: tf.Tensor) -> Dict[str, tf.Tensor]:
    """An example as TF ops.

    Args:
      index: int64 scalar below `num_examples`.

    Returns:
      'image': uint8 `[h0, w0, 3]`; 'label_map': int32 `[h0, w0, 2]`, class and
      a small number, another for each segment, void and crowd 0; 'image_id':
      int64.
    """

  def first_frame(self, index: tf.Tensor) -> tf.Tensor:
    """Of videos: the index of the first frame of a frame's video, int64."""

  def ground_truth(self, image_id: int) -> maps.PanopticMap:
    """What is to be found in a picture, on the host."""

  def image(self, image_id: int) -> np.ndarray:
    """The picture, uint8 `[h0, w0, 3]`, on the host."""

  def file_name(self, image_id: int) -> str:
    """The name of its labels in result files."""


class Rendered(Dataset, Protocol):
  """One that makes its examples; all are of one size."""

  def scenes(self, indices: tf.Tensor) -> Dict[str, tf.Tensor]:
    """As `example`, of int64 `[B]` indices: a batch in one go."""

  def clips(
    self, indices: tf.Tensor, past_frames: Sequence[int]
  ) -> Dict[str, tf.Tensor]:
    """Of videos: `scenes`, with the label maps of earlier frames.

    Args:
      indices: int64 `[B]`.
      past_frames: offsets of the F earlier frames, the oldest first.

    Returns:
      As `scenes`, with 'label_map' int32 `[B, h0, w0, 2 * (F + 1)]`, the
      frame's own last; all void before a video's first frame.
    """


class Read(Dataset, Protocol):
  """One that reads files; errors name the file and say what is wrong."""

  def encoded_image(self, index: tf.Tensor) -> Dict[str, tf.Tensor]:
    """'image': the file's bytes; 'size': int32 `[2]`; 'image_id': int64."""

  def label_pixels(self, index: tf.Tensor) -> tf.Tensor:
    """The decoded pixels of the labels, `[h0, w0, c]`."""

  def label_map(self, pixels: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """What pixels `[..., c]` mean: int32 `[..., 2]`, as in `example`."""
