"""The experiments of the paper, in the order of its stages.

`coco_panoptic_one_gpu` is not the paper's, but a variant of `coco_panoptic` for
one GPU.
"""

from collections.abc import Sequence

EXPERIMENTS = (
  'coco_decoder_pretraining',
  'coco_panoptic_low_resolution',
  'coco_panoptic',
  'coco_panoptic_one_gpu',
  'cityscapes_panoptic',
  'kitti_step',
  'davis',
)


def chosen(names: Sequence[str]) -> Sequence[str]:
  """The names as a flag gives them; 'all' stands for `EXPERIMENTS`."""
  return EXPERIMENTS if list(names) == ['all'] else names
