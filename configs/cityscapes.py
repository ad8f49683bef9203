"""Cityscapes panoptic, as the paper fine-tuned it.

Results in the paper, by steps of the sampler: PQ 62.2 (10), 63.2 (20), 63.4
(40), 64.0 (80). `(?)` marks a number that no source gives, and that is our
choice. `training.init_checkpoint` names the checkpoint of `coco_panoptic`.
"""

from typing import Tuple

from official.core import exp_factory

from configs import base

_IMAGES = 2975  # In the training split.


def _paper(
  image_size: Tuple[int, int], mask_size: Tuple[int, int], epochs: int
) -> base.Experiment:
  batch_size = 16
  return base.Experiment(
    model=base.Model(
      image_size=image_size,
      mask_size=mask_size,
      num_classes=20,  # No weight depends on it, so COCO's can be loaded.
    ),
    data=base.Data(name='cityscapes', eval_split='val'),
    optimizer=base.Optimizer(learning_rate=3e-5),
    training=base.Training(
      steps=epochs * (_IMAGES // batch_size),
      batch_size=batch_size,
      log_every=100,
      checkpoint_every=2000,
    ),
    evaluation=base.Evaluation(
      batch_size=8,
      sampler=base.Sampler(steps=20, td=1.5),
      min_segment_pixels=80,
      num_visualized=4,
    ),
  )


@exp_factory.register_config_factory('cityscapes_panoptic')
def cityscapes_panoptic() -> base.Experiment:
  """800 epochs at 1024x2048, masks 512x1024.

  Paper: PQ 63.2. Hardware and hours: not run.
  """
  return _paper((1024, 2048), (512, 1024), 800)


# Table 7, 100 epochs; batch size, learning rate and schedule as above (?).


@exp_factory.register_config_factory('cityscapes_ablation_512_256')
def cityscapes_ablation_512_256() -> base.Experiment:
  """Images 512x1024, masks 256x512.

  Paper: PQ 52.1. Hardware and hours: not run.
  """
  return _paper((512, 1024), (256, 512), 100)


@exp_factory.register_config_factory('cityscapes_ablation_512_512')
def cityscapes_ablation_512_512() -> base.Experiment:
  """Images 512x1024, masks 512x1024.

  Paper: PQ 53.8. Hardware and hours: not run.
  """
  return _paper((512, 1024), (512, 1024), 100)


@exp_factory.register_config_factory('cityscapes_ablation_1024_256')
def cityscapes_ablation_1024_256() -> base.Experiment:
  """Images 1024x2048, masks 256x512.

  Paper: PQ 55.7. Hardware and hours: not run.
  """
  return _paper((1024, 2048), (256, 512), 100)


@exp_factory.register_config_factory('cityscapes_ablation_1024_512')
def cityscapes_ablation_1024_512() -> base.Experiment:
  """Images 1024x2048, masks 512x1024.

  Paper: PQ 59.9. Hardware and hours: not run.
  """
  return _paper((1024, 2048), (512, 1024), 100)
