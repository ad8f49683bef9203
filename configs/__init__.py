"""Experiments, by name.

  import configs
  config = configs.loading.load('coco_panoptic')

Whichever of its modules is imported, all experiments are registered.
"""

from configs import (  # noqa: F401  Experiments register themselves.
  base,
  cityscapes,
  coco,
  davis,
  kitti_step,
  loading,
  moving_shapes,
  shapes,
)
