"""Sheets of images, ground truth and predictions, on the host."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from panoptic import decode, draw
from tasks import scorer

if TYPE_CHECKING:  # Drawing needs no TensorFlow, which both of these import.
  from configs import base
  from data import dataset as dataset_lib

_IMAGE_SIDE, _FRAME_SIDE = 128, 96  # Pixels, at least.
_MAX_TRAJECTORIES = 4


class ImageSheet:
  """Image, ground truth and prediction side by side; and trajectories."""

  def __init__(self, config: 'base.Experiment', dataset: 'dataset_lib.Dataset'):
    self._config, self._dataset = config, dataset
    self._predictions: list[list[np.ndarray]] = []
    self._trajectories: list[list[np.ndarray]] = []

  def add(self, row: Mapping[str, Any], label_maps: Sequence) -> None:
    """Adds an example.

    Args:
      row: 'image_id', 'resized_size' and 'original_size' of the example.
      label_maps: Integers `[h, w, 2]` each, after more and more steps.
    """
    image, truth, *steps = _cells(
      self._config, self._dataset, row, label_maps, _IMAGE_SIDE, by_id=False
    )
    self._predictions.append([image, truth, steps[-1]])
    if len(self._trajectories) < _MAX_TRAJECTORIES:
      self._trajectories.append([image, *steps])

  def images(self) -> dict[str, np.ndarray]:
    """'predictions' and 'trajectory', uint8 `[H, W, 3]`."""
    return {
      'predictions': draw.grid(self._predictions),
      'trajectory': draw.grid(self._trajectories),
    }


class VideoSheet:
  """Strips of frames, ground truth and predictions; a colour is an id."""

  def __init__(self, config: 'base.Experiment', dataset: 'dataset_lib.Dataset'):
    self._config, self._dataset = config, dataset
    self._rows: list[list[np.ndarray]] = []

  def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds a video: rows of `VideoTask.predict_step`, frame by frame."""
    strip = [
      _cells(
        self._config,
        self._dataset,
        row,
        [row['label_map']],
        _FRAME_SIDE,
        by_id=True,
      )
      for row in rows
    ]
    self._rows += [list(cells) for cells in zip(*strip, strict=True)]

  def image(self) -> np.ndarray:
    """uint8 `[H, W, 3]`."""
    return draw.grid(self._rows)


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
