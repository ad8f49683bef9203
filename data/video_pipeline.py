"""Batches of videos for evaluation; `pipeline` has those of training."""

import tensorflow as tf

from configs import base
from data import dataset as dataset_lib
from data import pipeline, streams


def eval_dataset(
  dataset: dataset_lib.Dataset,
  config: base.Experiment,
  input_context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
  """Every frame once; a row of the batches streams one video after another.

  With several workers, each has its rows of the same global batches, and with
  them whole videos.

  Args:
    dataset: A data set of videos.
    config: The experiment; `data.eval_examples` limits the number of videos,
      and `evaluation.video.max_frames` their length.
    input_context: The worker's place; None: the only one.

  Returns:
    As `pipeline.eval_in_order`, with 'is_first_frame' bool `[b]`, and
    'sequence' and 'frame' int64 `[b]`; see `streams.Streams`.

  Raises:
    ValueError: If the data set has no videos, if a video is longer than
      allowed, or if the batch cannot be shared among the workers.
  """
  pipeline.require_videos(dataset, config)
  videos = dict(list(dataset.sequences.items())[: config.data.eval_examples])
  limit = config.evaluation.video
  if limit.max_frames and not limit.split:
    streams.check_lengths(videos, limit.max_frames)
  order = streams.make_streams(
    list(videos.values()), config.evaluation.batch_size, limit.max_frames
  )
  return pipeline.eval_in_order(dataset, config, vars(order), input_context)
