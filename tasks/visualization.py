"""Sheets of images, ground truth and predictions, on the host."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from panoptic import decode, draw
from tasks import scorer

if TYPE_CHECKING:  # Drawing needs no TensorFlow, which both of these import.
  from configs import base
  from data import dataset as dataset_lib

_IMAGE_SIDE, _FRAME_SIDE = 128, 96  # Pixels, at least.
_MAX_TRAJECTORIES = 4


def image_sheets(
  config: 'base.Experiment',
  dataset: 'dataset_lib.Dataset',
  examples: Iterable[tuple[Mapping[str, Any], Sequence[np.ndarray]]],
) -> dict[str, np.ndarray]:
  """Image, ground truth and prediction side by side; and trajectories.

  Args:
    config: The experiment.
    dataset: The data set of the examples.
    examples: Of each 'image_id', 'resized_size' and 'original_size', and its
      label maps, integers `[h, w, 2]`, after more and more steps.

  Returns:
    'predictions' and 'trajectory', uint8 `[H, W, 3]`.
  """
  predictions, trajectories = [], []
  for row, label_maps in examples:
    image, truth, *steps = _cells(
      config, dataset, row, label_maps, _IMAGE_SIDE, by_id=False
    )
    predictions.append([image, truth, steps[-1]])
    trajectories.append([image, *steps])
  return {
    'predictions': draw.grid(predictions),
    'trajectory': draw.grid(trajectories[:_MAX_TRAJECTORIES]),
  }


def video_sheet(
  config: 'base.Experiment',
  dataset: 'dataset_lib.Dataset',
  videos: Iterable[Iterable[Mapping[str, Any]]],
) -> np.ndarray:
  """Strips of frames, ground truth and predictions; a colour is an id.

  Args:
    config: The experiment.
    dataset: The data set of the videos.
    videos: Of each the rows of `VideoTask.predict_step`, frame by frame.

  Returns:
    uint8 `[H, W, 3]`.
  """
  strips: list[Sequence[np.ndarray]] = []
  for video in videos:
    frames = [
      _cells(config, dataset, row, [row['label_map']], _FRAME_SIDE, by_id=True)
      for row in video
    ]
    strips += zip(*frames, strict=True)
  return draw.grid(strips)


def _cells(config, dataset, row, label_maps, side, by_id) -> list[np.ndarray]:
  """Image, ground truth and predictions of an example, large enough to see."""
  image_id, classes = int(row['image_id']), dataset.classes
  image = dataset.image(image_id)
  found = [
    decode.decode(
      label_map,
      row['resized_size'],
      row['original_size'],
      scorer.rule(config),
      classes,
    )
    for label_map in label_maps
  ]
  painted = [
    draw.paint(panoptic_map, classes, by_id)
    for panoptic_map in (dataset.ground_truth(image_id), *found)
  ]
  factor = max(1, -(-side // image.shape[0]))
  return [draw.enlarge(cell, factor) for cell in (image, *painted)]
