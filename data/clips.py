"""Batches of videos: clips for training, whole sequences for evaluation.

The data set is one of videos; see `data.pipeline`. The network sees the image
of a frame and the masks, not the images, of the frames before it; so only the
labels of these are read.
"""

from typing import NamedTuple, Optional, Sequence

import numpy as np
import tensorflow as tf

from configs import base
from data import pipeline


def train_clips(
  dataset,
  config: base.Experiment,
  start_step: int = 0,
  input_context: Optional[tf.distribute.InputContext] = None,
) -> tf.data.Dataset:
  """Endless training batches, one clip for each frame of each video.

  A clip has one draw of scale, crop and flip, and one of instance ids, which
  are shared by the frame and its past masks. Order, resuming and workers are as
  for `pipeline.train_dataset`.

  Args:
    dataset: See above.
    config: The experiment; `data.past_frames` are P offsets of the past masks.
    start_step: Batches to leave out.
    input_context: The worker's place; None: the only one.

  Returns:
    As `pipeline.train_dataset`, and 'past_masks' int32 `[b, h, w, 2 P]`, class
    and instance id of each past frame, the oldest first; void where the frame
    would be before the video's first.

  Raises:
    ValueError: If the data set has no videos, or if the batch cannot be shared
      among the workers.
  """
  _require_videos(dataset, config)
  place = pipeline.shuffled(dataset, config)

  def read(counter):
    index = place(counter)
    seed = pipeline.augmentation_seed(config, counter)
    image, geometry = pipeline.read_augmented(dataset, config, index, seed)
    first = dataset.first_frame(index)
    maps = []
    for offset in config.data.past_frames:
      past = index + offset
      label_map = tf.cond(
        past >= first,
        lambda past=past: pipeline.read_labels(dataset, config, past, geometry),
        lambda: tf.zeros([*config.model.mask_size, 2], tf.int32),
      )
      maps.append(label_map)
    maps.append(pipeline.read_labels(dataset, config, index, geometry))
    return {'image': image, 'label_map': tf.stack(maps), 'counter': counter}

  def draw_ids(batch):
    batch = pipeline.draw_ids(batch, config)
    clip = batch['label_map']  # [b, P + 1, h, w, 2]
    past = tf.unstack(clip[:, :-1], num=len(config.data.past_frames), axis=1)
    nothing = tf.zeros([*clip[:, 0].shape[:-1], 0], tf.int32)
    past_masks = tf.concat([nothing, *past], axis=-1)
    return {**batch, 'label_map': clip[:, -1], 'past_masks': past_masks}

  batches = pipeline.training_batches(
    config, start_step, input_context, None, read
  )
  return pipeline.finish(
    batches.map(draw_ids, num_parallel_calls=tf.data.AUTOTUNE),
    config.data.service,
  )


class Lanes(NamedTuple):
  """Videos side by side, each in order, for a batch that streams.

  Attributes:
    order: int64 `[steps, lanes]`, the index of each frame; -1: the lane is
      through.
    starts: bool `[steps, lanes]`, whether a frame is its video's first, so that
      nothing is remembered from the step before.
  """

  order: np.ndarray
  starts: np.ndarray


def lanes(
  sequences: Sequence[range], count: int, max_frames: Optional[int] = None
) -> Lanes:
  """Spreads videos over lanes, the longest first, to the emptiest lane.

  Args:
    sequences: The indices of each video's frames.
    count: Number of lanes.
    max_frames: Longer videos are split into the fewest pieces that are not
      longer, of about the same length; None: never.
  """
  pieces = []
  for frames in sequences:
    parts = -(-len(frames) // max_frames) if max_frames else 1
    pieces += [piece for piece in np.array_split(np.array(frames), parts)]
  rows = [[] for _ in range(count)]
  first = [[] for _ in range(count)]
  for piece in sorted(pieces, key=len, reverse=True):
    lane = min(range(count), key=lambda i: len(rows[i]))
    rows[lane] += piece.tolist()
    first[lane] += [True] + [False] * (len(piece) - 1)
  steps = max(len(row) for row in rows)
  order = np.full([steps, count], -1, np.int64)
  starts = np.zeros([steps, count], bool)
  for lane, (row, is_first) in enumerate(zip(rows, first, strict=True)):
    order[: len(row), lane], starts[: len(row), lane] = row, is_first
  return Lanes(order, starts)


def eval_frames(
  dataset,
  config: base.Experiment,
  input_context: Optional[tf.distribute.InputContext] = None,
  max_frames: Optional[int] = None,
) -> tf.data.Dataset:
  """Every frame once; a row of the batches streams one video after another.

  With several workers, each has its rows of the same global batches, and with
  them whole videos.

  Args:
    dataset: See above.
    config: The experiment; `data.eval_examples` limits the number of videos.
    input_context: The worker's place; None: the only one.
    max_frames: As for `lanes`.

  Returns:
    As `pipeline.eval_dataset`, and 'starts' bool `[b]`, whether a frame is its
    video's first.

  Raises:
    ValueError: As for `train_clips`.
  """
  _require_videos(dataset, config)
  videos = list(dataset.sequences.values())[: config.data.eval_examples]
  spread = lanes(videos, config.evaluation.batch_size, max_frames)
  batches = pipeline.eval_in_order(dataset, config, spread.order, input_context)
  share = batches.element_spec['valid'].shape[0]
  first = (
    0 if input_context is None else share * input_context.input_pipeline_id
  )
  starts = tf.data.Dataset.from_tensor_slices(
    spread.starts[:, first : first + share]
  )
  return pipeline.finish(
    tf.data.Dataset.zip(batches, starts).map(
      lambda batch, starts: {**batch, 'starts': starts}
    )
  )


def _require_videos(dataset, config: base.Experiment) -> None:
  if not dataset.sequences:
    raise ValueError(
      f'{config.data.name} has pictures, not videos: choose davis, kitti_step '
      'or a set whose images have a sequence and a frame'
    )
