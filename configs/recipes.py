"""Parts that several experiments share.

`(?)` in experiments marks a number that no source gives, and that is our
choice.
"""

from typing import Tuple

from configs import base


def exponential_schedule() -> base.Schedule:
  """Gamma falls by a factor of about five every quarter: 0.33, 0.07, 0.01, 0.

  Most times are those at which ids are decided, where bits are loud (a large
  `input_scaling`) and a segment has many pixels.
  """
  return base.Schedule(name='sigmoid', start=0.0, end=3.0, tau=0.46)


def small_model(
  image_size: Tuple[int, int],
  mask_size: Tuple[int, int],
  channel_multipliers: Tuple[int, ...],
) -> base.Model:
  """A network for images of about 64 rows that trains on a CPU."""
  return base.Model(
    image_size=image_size,
    mask_size=mask_size,
    # Few pixels share an id, so each must show it; the paper's 0.1 is for large
    # masks. See docs/experiments.md.
    input_scaling=1.0,
    encoder=base.ImageEncoder(
      resnet=base.ResNet(depth=18, width_multiplier=0.5),
      dim=64,
      num_layers=2,
      num_heads=4,
      mlp_dim=256,
      drop_path=0.0,
      drop_units=0.0,
    ),
    decoder=base.MaskDecoder(
      dim=32,
      channel_multipliers=channel_multipliers,
      transformer_dim=64,
      transformer_layers=2,
      head_dim=16,
    ),
  )


def small_optimizer(
  learning_rate: float, warmup_steps: int = 100, base_fan_in: int = 0
) -> base.Optimizer:
  """For networks that learn from nothing in some thousand steps."""
  return base.Optimizer(
    learning_rate=learning_rate,
    schedule='cosine',
    end_factor=0.0,
    warmup_steps=warmup_steps,
    base_fan_in=base_fan_in,
    ema_decay=0.997,
    ema_warmup=True,
  )


def video_finetuning(
  name: str, image_size: Tuple[int, int], mask_size: Tuple[int, int]
) -> base.Experiment:
  """The paper's recipe for videos.

  `training.init_checkpoint` names the checkpoint of `coco_panoptic`, whose
  first convolution of the decoder gets zeros for the past masks.
  """
  return base.Experiment(
    task='video',
    model=base.Model(image_size=image_size, mask_size=mask_size, past_masks=2),
    data=base.Data(
      name=name,
      train_split='train',
      eval_split='val',
      augmentation=base.Augmentation(scale_jitter=(0.7, 2.0)),
    ),
    optimizer=base.Optimizer(
      learning_rate=1e-5, schedule='constant', warmup_steps=0, ema_decay=0.99
    ),
    training=base.Training(
      steps=20_000, batch_size=32, log_every=100, checkpoint_every=1000
    ),
    evaluation=base.Evaluation(
      batch_size=8,  # Videos side by side.
      sampler=base.Sampler(steps=10, td=1.5),
      num_visualized=4,
    ),
  )


def small_video(
  name: str,
  image_size: Tuple[int, int],
  mask_size: Tuple[int, int],
  channel_multipliers: Tuple[int, ...],
) -> base.Experiment:
  """A small network that memorises a few clips: no augmentation."""
  model = small_model(image_size, mask_size, channel_multipliers)
  model.past_masks = 2
  return base.Experiment(
    task='video',
    model=model,
    data=base.Data(
      name=name,
      train_split='train',
      eval_split='val',
      augmentation=base.Augmentation(flip=False),
      cache=True,
    ),
    optimizer=small_optimizer(2e-2, base_fan_in=16),
    training=base.Training(
      steps=1500, batch_size=4, log_every=50, checkpoint_every=500
    ),
    evaluation=base.Evaluation(
      batch_size=1,
      sampler=base.Sampler(name='ddpm_small', steps=20, td=3.0),
      # The later frames copy the first one, with its errors.
      video=base.Video(first_frame_steps=150),
    ),
  )
