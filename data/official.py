"""The official trees of all data sets, by name."""

import os
from typing import Dict, Sequence

from data import builders, coco, davis, encodings, paths, records, source

BUILDERS = {
  'cityscapes': builders.CityscapesPanoptic,
  'kitti_step': builders.KittiStep,
  'panoptic_folder': builders.PanopticFolder,
}


def list_frames(name: str, folder: str) -> Dict[str, Sequence[source.Frame]]:
  """The frames of an official tree, by split.

  Raises:
    FileNotFoundError, PermissionError, ValueError: On the first thing that is
      wrong with folders and annotations.
  """
  if not os.path.isdir(folder):
    raise FileNotFoundError(
      f'{folder} does not exist: give the root of the official files'
    )
  if name == 'davis':
    return {split: davis.list_frames(folder, split) for split in davis.SPLITS}
  if name in ('coco_panoptic', 'panoptic_folder'):
    splits = coco.splits_of(folder)
    if name == 'coco_panoptic':
      splits = [s for s in splits if s in records.KINDS[name].splits]
    if not splits:
      raise FileNotFoundError(
        f'{folder} has no annotations/panoptic_<split>.json: it must be the '
        "root of a set in COCO's format"
        + paths.nearby(folder, lambda place: bool(coco.splits_of(place)))
      )
    return {split: builders.coco_frames(folder, split) for split in splits}
  return BUILDERS[name].frames(folder)


def find_segments(name: str):
  """How segments are found in labels; None where an annotation tells them."""
  if name == 'davis':
    return davis.find_segments
  return BUILDERS[name].find_segments if name in BUILDERS else None


def encoding_of(name: str) -> encodings.Encoding:
  """Of the label files in the official tree."""
  return records.KINDS[name].encoding
