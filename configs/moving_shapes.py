"""Procedural videos: a small network learns to track on a laptop."""

from official.core import exp_factory

from configs import base, shapes


@exp_factory.register_config_factory('moving_shapes')
def moving_shapes() -> base.Experiment:
  """Learns 64x64 videos from nothing, masks 16x16.

  Scored by STQ and VPQ on 32 held-out videos of 16 frames, after 15 minutes on
  two CPU cores: see README.md.
  """
  config = shapes.shapes()
  config.task = 'video'
  config.data.name = 'moving_shapes'
  config.model.past_masks = 2
  # Each variable learns at the pace of its width, so that ids are learned
  # within a few hundred steps: see docs/experiments.md.
  config.optimizer.learning_rate = 2e-2
  config.optimizer.base_fan_in = 16
  # All videos side by side.
  config.evaluation.batch_size = config.data.moving_shapes.eval_examples
  # A network that copies the past does not learn from the image; and the first
  # frame, which all others copy, has no past.
  config.data.augmentation.past_mask_dropout = 0.5
  # With a past, fewer steps decide ids; a first frame needs more.
  config.evaluation.sampler.steps = 20
  config.evaluation.sampler.td = 3.0
  config.evaluation.video.first_frame_steps = 80
  # STQ punishes void.
  config.evaluation.min_segment_pixels = 12
  return config


@exp_factory.register_config_factory('moving_shapes_frames')
def moving_shapes_frames() -> base.Experiment:
  """The same network and videos, but every frame alone: a baseline.

  Its ids do not persist, save by chance.
  """
  config = moving_shapes()
  config.model.past_masks = 0
  config.evaluation.sampler = shapes.shapes().evaluation.sampler
  config.evaluation.video.first_frame_steps = 0
  return config
