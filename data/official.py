"""The official trees of all data sets, by name."""

import os
from typing import Dict, Sequence

from data.datasets import coco, davis
from data.reading import paths, samples
from data.tfds import builders, records
from panoptic import png

BUILDERS = {
  'cityscapes': builders.CityscapesPanoptic,
  'kitti_step': builders.KittiStep,
  'panoptic_folder': builders.PanopticFolder,
}


def list_frames(name: str, folder: str) -> Dict[str, Sequence[samples.Sample]]:
  """The frames of an official tree, by split.

  Raises:
    FileNotFoundError, PermissionError, ValueError: On the first thing that is
      wrong with folders and annotations.
  """
  if not os.path.isdir(folder):
    raise FileNotFoundError(
      f'{folder} does not exist: give the root of the official files'
    )
  splits = _list(name, folder)
  for frames in splits.values():
    _check_names(frames)
  return splits


def _list(name: str, folder: str) -> Dict[str, Sequence[samples.Sample]]:
  if name == 'davis':
    return {split: davis.list_frames(folder, split) for split in davis.SPLITS}
  if name in ('coco_panoptic', 'panoptic_folder'):
    if name == 'panoptic_folder':
      splits = coco.splits_of(folder)
    else:
      known = records.KINDS[name].splits
      splits = [s for s in coco.unpacked_splits(folder) if s in known]
    if not splits:
      raise FileNotFoundError(
        f'{folder} has no annotations/panoptic_<split>.json: it must be the '
        "root of a set in COCO's format"
        + paths.nearby(folder, lambda place: bool(coco.splits_of(place)))
      )
    return {split: builders.coco_frames(folder, split) for split in splits}
  return BUILDERS[name].frames(folder)


def _check_names(frames: Sequence[samples.Sample]) -> None:
  """Raises ValueError if two frames have one name."""
  images = {}
  for frame in frames:
    if frame.name in images:
      raise ValueError(
        f'{images[frame.name]} and {frame.image} are one picture by name, '
        f'{frame.name}: remove one of them'
      )
    images[frame.name] = frame.image


def find_segments(name: str):
  """How segments are found in labels; None where an annotation tells them."""
  if name == 'davis':
    return davis.find_segments
  return BUILDERS[name].find_segments if name in BUILDERS else None


def encoding_of(name: str) -> png.Encoding:
  """Of the label files in the official tree."""
  return records.KINDS[name].encoding
