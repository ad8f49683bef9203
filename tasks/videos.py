"""Panoptic segmentation of videos, streamed frame by frame.

p(m_t | x_t, m_{t-1}, m_{t-2}): the network of `images` is given the masks of
earlier frames beside the image, true ones in training and its own predictions
when it streams. So ids persist; nothing is stitched or matched.
"""

import copy
import functools

import numpy as np
import tensorflow as tf

from configs import base
from data import dataset as dataset_lib
from data import image_choice, pipeline, streams, video_pipeline
from models import pix2seq_d, prng
from models.blocks import layers
from tasks import images, visualization
from tasks.task import Tensors

_SHOWN_VIDEOS, _SHOWN_FRAMES = 4, 8


class VideoTask(images.ImageTask):
  """A `task.Task` for videos, scored by STQ and VPQ, or by J&F.

  With `model.past_masks=0` the network sees every frame alone, and is scored in
  the same way.
  """

  row_names = (*images.ImageTask.row_names, 'sequence', 'frame')

  def eval_dataset(
    self, input_context: tf.distribute.InputContext | None = None
  ) -> tf.data.Dataset:
    """As `video_pipeline.eval_dataset`."""
    return video_pipeline.eval_dataset(
      self.eval_set, self.config, input_context
    )

  def initial_state(self, rows: int, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """The state before the first frame: all past masks are void.

    Returns:
      'seed': int64 scalar; 'past_masks': int32 `[rows, F, h, w, 2]`, the
      predicted maps of the last F frames, the oldest first; absent for a model
      without past masks.
    """
    state = super().initial_state(rows, seed)
    if self.config.model.past_masks:
      frames = -min(self.config.data.past_frames)
      shape = [rows, frames, *self.config.model.mask_size, 2]
      state['past_masks'] = tf.zeros(shape, tf.int32)
    return state

  def predict_label_map(
    self, model: pix2seq_d.Pix2SeqD, batch: Tensors, state: Tensors
  ) -> tuple[tf.Tensor, Tensors]:
    """Samples the next frame of every stream.

    Args:
      model: From `build_model`.
      batch: 'image' uint8 `[b, H, W, 3]`; 'sequence' and 'frame'
        int64 `[b]`, of which the noise is a function; 'is_first_frame' and
        'valid' bool `[b]`.
      state: From the frame before, or from `initial_state`. With 'steps', an
        int32 scalar, all frames get as many.

    Returns:
      The decoded maps int32 `[b, h, w, 2]`, and the state.
    """
    steps = state.get('steps')
    seeds = self._row_seeds(batch, state)
    is_first, valid = batch['is_first_frame'], batch['valid']
    if 'past_masks' not in state:
      x_0 = self._sample_frames(
        model, batch, seeds, None, is_first, valid, steps
      )
      return model.decode(x_0), state
    past = tf.where(_as_maps(is_first), 0, state['past_masks'])
    given = past
    if self.config.evaluation.video.withhold_past:
      given = tf.zeros_like(past)
      is_first = tf.ones_like(is_first)  # Every frame is like a first one.
    offsets = [past.shape[1] + t for t in self.config.data.past_frames]
    past_masks = tf.concat([given[:, i] for i in offsets], axis=-1)
    x_0 = self._sample_frames(
      model, batch, seeds, past_masks, is_first, valid, steps
    )
    # The state holds decoded maps, as training has them.
    label_map = model.decode(x_0)
    past = tf.concat([past[:, 1:], label_map[:, tf.newaxis]], axis=1)
    return label_map, {**state, 'past_masks': past}

  def batch_of_images(self, images: tf.Tensor, index: tf.Tensor) -> Tensors:
    """See `ImageTask`; a row is of a clip of its own, which begins at 0."""
    return {
      'image': images,
      'sequence': tf.zeros_like(index),
      'frame': index,
      'is_first_frame': index == 0,
      'valid': tf.ones_like(index, tf.bool),
    }

  def visualize(
    self, model: pix2seq_d.Pix2SeqD, strategy: tf.distribute.Strategy
  ) -> dict[str, np.ndarray]:
    """Draws strips of the first videos: frames, ground truth and prediction.

    Args:
      model: The model to be shown.
      strategy: Where it is; all its replicas sample the same videos.

    Returns:
      One image by its name.
    """
    videos = self._videos_to_show()
    if not videos:
      return {}
    shown = []
    # One at a time: as little memory as an evaluation with one stream takes.
    config = copy.deepcopy(self.config)
    config.evaluation.batch_size = 1
    seed = tf.constant(config.evaluation.seed, tf.int64)
    initial_state = functools.partial(self.initial_state, 1, seed)
    start = tf.function(lambda: strategy.run(initial_state), autograph=False)
    for number, frames in videos.items():
      order = vars(streams.make_streams([frames[:_SHOWN_FRAMES]], 1))
      order = {**order, 'sequence': np.full_like(order['sequence'], number)}
      state, rows = start(), []
      for batch in pipeline.eval_in_order(self.eval_set, config, order):
        outputs, state = self.show_on_replicas(strategy, model, batch, state)
        rows.append(
          {
            name: strategy.experimental_local_results(value)[0][0].numpy()
            for name, value in outputs.items()
          }
        )
      shown.append(rows)
    withheld = self.config.evaluation.video.withhold_past
    name = 'videos_past_withheld' if withheld else 'videos'
    sheet = visualization.video_sheet(self.config, self.eval_set, shown)
    return {name: sheet}

  def _videos_to_show(self) -> dict[int, range]:
    """The frames of the videos to draw, by the numbers of the videos."""
    settings, sequences = self.config.evaluation, self.eval_set.sequences
    names = list(sequences)
    chosen = list(settings.visualized_ids)
    if not chosen:
      count = min(settings.num_visualized, _SHOWN_VIDEOS)
      chosen = names[: self.config.data.eval_examples][:count]
    return {names.index(name): sequences[name] for name in chosen}

  def _check_visualized(self, dataset: dataset_lib.Dataset) -> None:
    image_choice.check_videos(
      list(dataset.sequences),
      self.config.evaluation.visualized_ids,
      self.config.data.eval_split,
    )

  def show_step(self, model, batch, state):
    return self.predict_step(model, batch, state)

  def _sample_frames(
    self, model, batch, seeds, past_masks, is_first, valid, steps
  ):
    """x_0 of each row; first frames may have steps of their own."""
    encoded = model.encode(batch['image'])

    def sample(sampler: base.Sampler):
      return model.sample(
        encoded, None, sampler, past_masks, steps=steps, seeds=seeds
      )

    later = self.config.evaluation.sampler
    first = self._sampler_of_first()
    if steps is not None or first.steps == later.steps:
      return sample(later)
    # A batch may hold both. Each branch runs only where a row needs it.
    model_config = self.config.model
    rows = layers.batch_size(seeds)
    shape = [rows, *model_config.mask_size, 2 * model_config.bits]

    def sample_if(needed: tf.Tensor, sampler: base.Sampler):
      return tf.cond(needed, lambda: sample(sampler), lambda: tf.zeros(shape))

    x_0_first = sample_if(tf.reduce_any(is_first), first)
    x_0_later = sample_if(tf.reduce_any(~is_first & valid), later)
    return tf.where(_as_maps(is_first)[:, 0], x_0_first, x_0_later)

  def _row_seeds(self, batch, state):
    return prng.row_seeds(state['seed'], batch['sequence'], batch['frame'])

  def _sampler_of_first(self) -> base.Sampler:
    sampler = copy.deepcopy(self.config.evaluation.sampler)
    sampler.steps = first_frame_steps(self.config, sampler)
    return sampler


def first_frame_steps(config: base.Experiment, sampler: base.Sampler) -> int:
  """The steps of first frames where later ones have a sampler."""
  return config.evaluation.video.first_frame_steps or sampler.steps


def follow(
  config: base.Experiment, state: Tensors, mask: tf.Tensor
) -> dict[str, tf.Tensor]:
  """The state after a first frame whose mask is given, not sampled.

  All past masks are that mask, as if nothing had moved before. The clip goes on
  with its second frame.

  Args:
    config: The experiment.
    state: From `VideoTask.initial_state`.
    mask: The masks at mask size, int32 `[rows, h, w, 2]`.

  Raises:
    ValueError: As `check_follows`.
  """
  check_follows(config)
  past = tf.ones_like(state['past_masks']) * mask[:, tf.newaxis]
  return {**state, 'past_masks': past}


def check_follows(config: base.Experiment) -> None:
  """Raises ValueError for a model that cannot go on from a first mask."""
  if config.task != 'video':
    raise ValueError(
      f'a first mask is for clips, but the task is {config.task!r}: give '
      '--given, a folder of maps, for images'
    )
  if not config.model.past_masks:
    raise ValueError(
      'a first mask has no effect on a model that sees each frame alone '
      '(model.past_masks is 0): use one with past masks'
    )
  if config.evaluation.video.withhold_past:
    raise ValueError(
      'a first mask has no effect where the past is withheld: set '
      'evaluation.video.withhold_past=false'
    )


def _as_maps(flags: tf.Tensor) -> tf.Tensor:
  """`[b]` to `[b, 1, 1, 1, 1]`, for maps of several frames."""
  return flags[:, tf.newaxis, tf.newaxis, tf.newaxis, tf.newaxis]
