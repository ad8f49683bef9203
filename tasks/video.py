"""Panoptic segmentation of videos, streamed frame by frame.

p(m_t | x_t, m_{t-1}, m_{t-2}): the network of `panoptic` is given the masks of
earlier frames beside the image, true ones in training and its own predictions
when it streams. So ids persist; nothing is stitched or matched.
"""

import copy
import functools
from typing import Dict, List

import numpy as np
import tensorflow as tf

from configs import base
from data import pipeline, video_pipeline
from tasks import panoptic, pictures, sampling, video_scorer

_SIDE = 96  # Pixels: small frames are shown at least this large.
_COLUMNS = 8  # Frames of a strip.
_STRIPS = 4


class Video(panoptic.Panoptic):
  """The task of `training.task.Task` for videos.

  STQ is the score that counts, or J&F. With `model.past_masks=0` the network
  sees every frame alone, and is scored in the same way.
  """

  def __init__(self, config: base.Experiment, results_dir: str = ''):
    """Opens nothing yet; arguments as for `Panoptic`."""
    super().__init__(config, results_dir)
    self.metric = video_scorer.METRICS[config.evaluation.video.metric]

  def eval_dataset(self, input_context=None) -> tf.data.Dataset:
    return video_pipeline.eval_dataset(
      self.eval_set, self.config, input_context
    )

  def first_memory(self, rows: int, seed: tf.Tensor) -> Dict[str, tf.Tensor]:
    """Nothing but void before the first frame.

    Returns:
      'seed': int64 scalar; 'past': int32 `[rows, F, h, w, 2]`, the predicted
      maps of the last F frames, the oldest first.
    """
    memory = super().first_memory(rows, seed)
    if self.config.model.past_masks:
      frames = -min(self.config.data.past_frames)
      shape = [rows, frames, *self.config.model.mask_size, 2]
      memory['past'] = tf.zeros(shape, tf.int32)
    return memory

  # Nothing here is for AutoGraph, whose conversion takes longer than tracing.
  @tf.autograph.experimental.do_not_convert
  def predict_step(self, model, batch, memory):
    seeds = sampling.row_seeds(
      memory['seed'], batch['sequence'], batch['frame']
    )
    starts, valid = batch['is_first_frame'], batch['valid']
    past_masks = None
    if 'past' in memory:
      past = tf.where(_as_maps(starts), 0, memory['past'])
      given = past
      if self.config.evaluation.video.withhold_past:
        given = tf.zeros_like(past)
        starts = tf.ones_like(starts)  # Every frame is like a first one.
      frames = past.shape[1]
      past_masks = tf.concat(
        [given[:, frames + t] for t in self.config.data.past_frames], axis=-1
      )
    x_0 = self._sample_frames(
      model, batch['image'], seeds, past_masks, starts, valid
    )
    # The decoded map is what is remembered, as training sees maps.
    label_map = model.decode(x_0)
    if 'past' in memory:
      past = tf.concat([past[:, 1:], label_map[:, tf.newaxis]], axis=1)
      memory = {**memory, 'past': past}
    outputs = {'label_map': label_map}
    for name in (
      *('image_id', 'valid', 'original_size', 'resized_size'),
      *('sequence', 'frame'),
    ):
      outputs[name] = batch[name]
    return outputs, memory

  def predict_frame(self, model, image, frame, start, memory):
    """The decoded map of one frame of a clip.

    Args:
      model: from `build_model`.
      image: float32 `[H, W, 3]` in [0, 1].
      frame: int64 scalar, its number.
      start: bool scalar, whether nothing is remembered.
      memory: from the frame before, or `first_memory` of one row.

    Returns:
      int32 `[h, w, 2]`, and the memory for the next frame.
    """
    nothing = tf.zeros([1], tf.int64)
    batch = {
      'image': image[tf.newaxis],
      'frame': frame[tf.newaxis],
      'is_first_frame': start[tf.newaxis],
      'valid': tf.ones([1], tf.bool),
      **dict.fromkeys(
        ('sequence', 'image_id', 'original_size', 'resized_size'), nothing
      ),
    }
    outputs, memory = self.predict_step(model, batch, memory)
    return outputs['label_map'][0], memory

  def new_scorer(self, run: int = 0) -> video_scorer.Scorer:
    return video_scorer.Scorer(
      self.config, self.eval_set, self._results_of(run)
    )

  def pictures(self, model, strategy) -> Dict[str, np.ndarray]:
    """Strips of the first videos: frames, ground truth and prediction.

    Args:
      model: the model to be shown.
      strategy: where it is; all its replicas sample the same videos.

    Returns:
      One picture by its name, colours telling ids.
    """
    count = min(self.config.evaluation.num_pictures, _STRIPS)
    videos = list(self.eval_set.sequences.values())
    videos = videos[: self.config.data.eval_examples][:count]
    if not videos:
      return {}
    rows: List[List[np.ndarray]] = []
    # One at a time: as little memory as an evaluation of one stream takes.
    config = copy.deepcopy(self.config)
    config.evaluation.batch_size = 1
    seed = tf.constant(config.evaluation.seed, tf.int64)
    first_memory = functools.partial(self.first_memory, 1, seed)
    start = tf.function(lambda: strategy.run(first_memory), autograph=False)
    for number, frames in enumerate(videos):
      order = vars(video_pipeline.make_streams([frames[:_COLUMNS]], 1))
      order = {**order, 'sequence': np.full_like(order['sequence'], number)}
      memory, strip = start(), []
      for batch in pipeline.eval_in_order(self.eval_set, config, order):
        outputs, memory = self._show(strategy, model, batch, memory)
        outputs = {
          name: strategy.experimental_local_results(value)[0][0].numpy()
          for name, value in outputs.items()
        }
        strip.append(self._shown(outputs))
      rows += [list(row) for row in zip(*strip, strict=True)]
    withheld = self.config.evaluation.video.withhold_past
    name = 'videos_past_withheld' if withheld else 'videos'
    return {name: pictures.grid(rows)}

  def _show_step(self, model, batch, memory):
    return self.predict_step(model, batch, memory)

  def _shown(self, row) -> List[np.ndarray]:
    """Image, ground truth and prediction of a frame."""
    dataset, image_id = self.eval_set, int(row['image_id'])
    found = panoptic.to_segments(
      row['label_map'],
      row['resized_size'],
      row['original_size'],
      self.config,
      dataset.classes,
    )
    shown, truth = [dataset.image(image_id)], dataset.ground_truth(image_id)
    for segment_ids, segments in ((truth.segment_ids, truth.segments), found):
      shown.append(
        pictures.paint(segment_ids, segments, dataset.classes, by_id=True)
      )
    factor = max(1, -(-_SIDE // shown[0].shape[0]))
    return [pictures.enlarge(picture, factor) for picture in shown]

  def _sample_frames(self, model, image, seeds, past_masks, starts, valid):
    """x_0 of each row, with the steps that its frame is to have."""
    encoded = model.encode(image)

    def sample(sampler):
      return sampling.sample(model, encoded, seeds, sampler, past_masks)

    later = self.config.evaluation.sampler
    steps = self.config.evaluation.video.first_frame_steps
    if steps in (0, later.steps):
      return sample(later)
    first = copy.deepcopy(later)
    first.steps = steps
    # A batch may hold both. Each branch runs only where a row needs it.
    model_config = self.config.model
    shape = [*seeds.shape[:1], *model_config.mask_size, 2 * model_config.bits]
    of_first = tf.cond(
      tf.reduce_any(starts), lambda: sample(first), lambda: tf.zeros(shape)
    )
    of_later = tf.cond(
      tf.reduce_any(~starts & valid),
      lambda: sample(later),
      lambda: tf.zeros(shape),
    )
    return tf.where(_as_maps(starts)[:, 0], of_first, of_later)


def _as_maps(flags: tf.Tensor) -> tf.Tensor:
  """`[b]` to `[b, 1, 1, 1, 1]`, for maps of several frames."""
  return flags[:, tf.newaxis, tf.newaxis, tf.newaxis, tf.newaxis]
