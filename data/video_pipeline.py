"""Batches of videos: clips for training, whole sequences for evaluation.

The data set is one of videos; see `contract`. The network sees the image
of a frame and the masks, not the images, of the frames before it; so only the
labels of these are read.
"""

import itertools
from typing import List, Mapping, NamedTuple, Optional, Sequence

import numpy as np
import tensorflow as tf

from configs import base
from data import dataset, pipeline, transforms


def train_clips(
  dataset: dataset.Dataset,
  config: base.Experiment,
  start_step: int = 0,
  input_context: Optional[tf.distribute.InputContext] = None,
) -> tf.data.Dataset:
  """Endless training batches, one clip for each frame of each video.

  A clip has one draw of scale, crop and flip, and one of instance ids, which
  are shared by the frame and its past masks. Each past mask is withheld with
  the probability `data.augmentation.withheld_past`, all void then. Order,
  resuming and workers are as for `pipeline.train_dataset`.

  Args:
    dataset: Of videos.
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

  def render(counters):
    scenes = dataset.clips(
      tf.map_fn(place, counters), tuple(config.data.past_frames)
    )
    count = len(config.data.past_frames) + 1

    def transform(row):
      counter, scene = row
      image, maps = transforms.train_transform(
        scene['image'],
        scene['label_map'],
        pipeline.augmentation_seed(config, counter),
        config.model.image_size,
        config.model.mask_size,
        config.data.augmentation,
      )
      maps = tf.stack(tf.split(maps, count, axis=-1))
      return {'image': image, 'label_map': maps, 'counter': counter}

    spec = {
      'image': tf.TensorSpec([*config.model.image_size, 3], tf.float32),
      'label_map': tf.TensorSpec([count, *config.model.mask_size, 2], tf.int32),
      'counter': tf.TensorSpec([], tf.int64),
    }
    return tf.map_fn(transform, (counters, scenes), fn_output_signature=spec)

  def draw_ids(batch):
    counter = batch['counter']
    batch = pipeline.draw_ids(batch, config)
    clip = batch['label_map']  # [b, P + 1, h, w, 2]
    past = clip[:, :-1] * _given(config, counter)
    past = tf.unstack(past, num=len(config.data.past_frames), axis=1)
    nothing = tf.zeros([*clip[:, 0].shape[:-1], 0], tf.int32)
    past_masks = tf.concat([nothing, *past], axis=-1)
    return {**batch, 'label_map': clip[:, -1], 'past_masks': past_masks}

  batches = pipeline.training_batches(
    config,
    start_step,
    input_context,
    render if dataset.batched else None,
    read,
  )
  return pipeline.finish(
    batches.map(draw_ids, num_parallel_calls=tf.data.AUTOTUNE),
    config.data.service,
  )


def _given(config: base.Experiment, counter: tf.Tensor) -> tf.Tensor:
  """1 for each past mask that is given, else 0: int32 `[b, P, 1, 1, 1]`."""
  count, share = len(config.data.past_frames), config.data.augmentation
  draw = tf.map_fn(
    lambda seed: tf.random.stateless_uniform([count], seed),
    pipeline.withheld_seed(config, counter),
    fn_output_signature=tf.TensorSpec([count], tf.float32),
  )
  given = tf.cast(draw >= share.withheld_past, tf.int32)
  return given[..., tf.newaxis, tf.newaxis, tf.newaxis]


class Lanes(NamedTuple):
  """Videos side by side, each in order, for a batch that streams.

  Attributes:
    order: int64 `[steps, lanes]`, the index of each frame; -1: the lane is
      through.
    starts: bool `[steps, lanes]`, whether a frame is the first of its video or
      of a piece of it, so that nothing is remembered from the step before.
    sequence: int64 `[steps, lanes]`, the number of a frame's video; -1: none.
    frame: int64 `[steps, lanes]`, the number of a frame in its video; -1: none.
  """

  order: np.ndarray
  starts: np.ndarray
  sequence: np.ndarray
  frame: np.ndarray


def pieces(frames: int, max_frames: Optional[int]) -> List[range]:
  """The frames of a video, split into the fewest pieces of about one length.

  Args:
    frames: Of the video, one at least.
    max_frames: No piece is longer; None or 0: the video is one piece.

  Returns:
    The numbers of the frames of each piece, in order; the first pieces may be
    one frame longer than the others.
  """
  count = -(-frames // max_frames) if max_frames else 1
  length, longer = divmod(frames, count)
  lengths = [length + 1] * longer + [length] * (count - longer)
  ends = itertools.accumulate(lengths, initial=0)
  return [range(start, end) for start, end in itertools.pairwise(ends)]


def lanes(
  sequences: Sequence[range], count: int, max_frames: Optional[int] = None
) -> Lanes:
  """Spreads videos over lanes, the longest first, to the emptiest lane.

  Args:
    sequences: The indices of each video's frames.
    count: Number of lanes.
    max_frames: Longer videos are split into the fewest pieces that are not
      longer, of about the same length; these follow each other in one lane, so
      that scores and files get the frames of a video in order. None or 0:
      never.
  """
  rows = [[] for _ in range(count)]
  order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]))
  for number in order:
    frames = sequences[number]
    row = min(rows, key=len)
    for piece in pieces(len(frames), max_frames):
      row += [(frames[t], t == piece[0], number, t) for t in piece]
  steps = max(map(len, rows))
  idle = (-1, False, -1, -1)
  cells = np.array(
    [[row[t] if t < len(row) else idle for row in rows] for t in range(steps)],
    np.int64,
  )
  index, starts, sequence, frame = np.moveaxis(cells, -1, 0)
  return Lanes(index, starts.astype(bool), sequence, frame)


def check_lengths(sequences: Mapping[str, range], max_frames: int) -> None:
  """Raises ValueError if a video has more frames than that."""
  for name, frames in sequences.items():
    if len(frames) > max_frames:
      raise ValueError(
        f'sequence {name} has {len(frames)} frames, and '
        f'evaluation.video.max_frames allows {max_frames}: raise that, or set '
        'evaluation.video.split=true'
      )


def eval_frames(
  dataset: dataset.Dataset,
  config: base.Experiment,
  input_context: Optional[tf.distribute.InputContext] = None,
) -> tf.data.Dataset:
  """Every frame once; a row of the batches streams one video after another.

  With several workers, each has its rows of the same global batches, and with
  them whole videos.

  Args:
    dataset: Of videos.
    config: The experiment; `data.eval_examples` limits the number of videos,
      and `evaluation.video.max_frames` their length.
    input_context: The worker's place; None: the only one.

  Returns:
    As `pipeline.eval_dataset`, and 'starts' bool `[b]`, whether a frame is its
    video's first, 'sequence' and 'frame' int64 `[b]`, the numbers of the video
    and of the frame in it, -1 where not valid.

  Raises:
    ValueError: As for `train_clips`, or if a video is longer than allowed.
  """
  _require_videos(dataset, config)
  videos = dict(list(dataset.sequences.items())[: config.data.eval_examples])
  limit = config.evaluation.video
  if limit.max_frames and not limit.split:
    check_lengths(videos, limit.max_frames)
  spread = lanes(
    list(videos.values()), config.evaluation.batch_size, limit.max_frames
  )
  return stream(dataset, config, spread, input_context)


def stream(
  dataset: dataset.Dataset,
  config: base.Experiment,
  spread: Lanes,
  input_context: Optional[tf.distribute.InputContext] = None,
) -> tf.data.Dataset:
  """Batches of frames as `spread` orders them; see `eval_frames`."""
  batches = pipeline.eval_in_order(dataset, config, spread.order, input_context)
  share = batches.element_spec['valid'].shape[0]
  first = (
    0 if input_context is None else share * input_context.input_pipeline_id
  )
  more = {
    name: getattr(spread, name)[:, first : first + share]
    for name in ('starts', 'sequence', 'frame')
  }
  return pipeline.finish(
    tf.data.Dataset.zip(batches, tf.data.Dataset.from_tensor_slices(more)).map(
      lambda batch, more: {**batch, **more}
    )
  )


def _require_videos(dataset: dataset.Dataset, config: base.Experiment) -> None:
  if not dataset.sequences:
    raise ValueError(
      f'{config.data.name} has pictures, not videos: choose davis, kitti_step '
      'or a set whose images have a sequence and a frame'
    )
