"""The experiments of the paper, in the order of its stages."""

EXPERIMENTS = (
  'coco_decoder_pretraining',
  'coco_panoptic_low_resolution',
  'coco_panoptic',
  'coco_panoptic_one_gpu',
  'cityscapes_panoptic',
  'kitti_step',
  'davis',
)
