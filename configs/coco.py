"""COCO panoptic, as the paper trained it, and small enough for a laptop.

Results in the paper: PQ 50.3 with 20 steps and 47.5 with 5 (as later papers
report). `(?)` marks a number that no source gives, and that is our choice.
"""

from typing import Tuple

from official.core import exp_factory

from configs import base, recipes

_IMAGES = 118_287  # In train2017.


def _paper(
  image_size: int,
  epochs: int,
  batch_size: int,
  learning_rate: float,
  warmup_epochs: int,
  jitter: Tuple[float, float],
  color_jitter: float,
) -> base.Experiment:
  steps_per_epoch = _IMAGES // batch_size
  return base.Experiment(
    model=base.Model(
      image_size=(image_size, image_size),
      mask_size=(image_size // 2, image_size // 2),
    ),
    data=base.Data(
      name='coco_panoptic',
      train_split='train2017',
      eval_split='val2017',
      augmentation=base.Augmentation(
        scale_jitter=jitter, color_jitter=color_jitter
      ),
    ),
    optimizer=base.Optimizer(
      learning_rate=learning_rate,
      warmup_steps=warmup_epochs * steps_per_epoch,
    ),
    training=base.Training(
      steps=epochs * steps_per_epoch,
      batch_size=batch_size,
      log_every=100,
      checkpoint_every=5000,
    ),
    evaluation=base.Evaluation(
      batch_size=8,
      sampler=base.Sampler(steps=20, td=2.0),
      min_segment_pixels=40,
      num_visualized=4,
    ),
  )


@exp_factory.register_config_factory('coco_decoder_pretraining')
def coco_decoder_pretraining() -> base.Experiment:
  """The mask decoder alone, on COCO's masks: 800 epochs at 128x128.

  Paper: no metric. Hardware and hours: not run.
  """
  config = _paper(256, 800, 512, 1e-4, 5, (1.0, 3.0), 0.0)
  config.model.unconditional = True
  return config


@exp_factory.register_config_factory('coco_panoptic_low_resolution')
def coco_panoptic_low_resolution() -> base.Experiment:
  """800 epochs at 256x256 (?), masks 128x128 (?).

  Paper: no metric. Hardware and hours: not run.
  `training.init_checkpoint` names Pix2Seq's Objects365 checkpoint, for the
  encoder, and that of `coco_decoder_pretraining`.
  """
  return _paper(256, 800, 512, 1e-4, 5, (1.0, 3.0), 1.0)


@exp_factory.register_config_factory('coco_panoptic')
def coco_panoptic() -> base.Experiment:
  """15 epochs at 1024x1024, masks 512x512.

  Paper: PQ 50.3. Hardware and hours: not run.
  `training.init_checkpoint` names the checkpoint of
  `coco_panoptic_low_resolution`.
  """
  return _paper(1024, 15, 16, 1e-5, 0, (1.0, 1.0), 0.0)


@exp_factory.register_config_factory('coco_panoptic_one_gpu')
def coco_panoptic_one_gpu() -> base.Experiment:
  """36 epochs at 512x512, masks 256x256, in one stage, for one card of 24 GB.

  Paper: has no such recipe, so all of it is our choice; not run. Memory and
  hours by card: python -m benchmarks.plan --of=coco_panoptic_one_gpu.
  `training.init_checkpoint` may name Pix2Seq's Objects365 checkpoint, for the
  encoder.
  """
  config = _paper(512, 36, 32, 1e-4, 1, (1.0, 3.0), 0.5)
  config.optimizer.accumulation_steps = 4
  config.training.precision = 'bfloat16'
  config.training.jit_compile = True
  config.training.recompute = True
  return config


@exp_factory.register_config_factory('coco_panoptic_small')
def coco_panoptic_small() -> base.Experiment:
  """A small network at 64x64, masks 32x32, that memorises a few images.

  PQ 53.5 on the 26 images it was trained on, after 80 minutes on one core: see
  docs/experiments.md. No augmentation.
  """
  noise = recipes.exponential_schedule()
  # With b = 0.1 the few pixels of a segment would not show its id; so the bits
  # are large, and the schedule makes up for it with more noise.
  model = recipes.small_model((64, 64), (32, 32), (1, 2))
  model.max_instances = 16
  # An image shows few of the ids, so a softmax over them learns slowly; all of
  # them share their bits.
  model.parameterization = 'sigmoid'
  model.encoder.dim, model.encoder.mlp_dim = 128, 512
  model.encoder.feature_dim = 32
  model.decoder.transformer_dim, model.decoder.head_dim = 128, 32
  model.decoder.transformer_layers = 3
  return base.Experiment(
    model=model,
    loss=base.Loss(weight_p=0.5, schedule=noise),
    data=base.Data(
      name='coco_panoptic',
      train_split='train2017',
      eval_split='val2017',
      augmentation=base.Augmentation(flip=False),
      cache=True,
    ),
    optimizer=recipes.small_optimizer(2e-2, 200, base_fan_in=16),
    training=base.Training(
      steps=13_500, batch_size=8, log_every=50, checkpoint_every=1000
    ),
    evaluation=base.Evaluation(
      batch_size=1,
      sampler=base.Sampler(name='ddpm_small', steps=40, td=5.0, schedule=noise),
      segments_by='class_and_id',
      # Of an image as COCO has them, about one of the mask's pixels.
      min_segment_pixels=300,
    ),
  )
