"""Sheets of images, ground truth and predictions, on the host."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from panoptic import decode, maps
from panoptic.drawing import draw, sheets
from tasks import scorer

if TYPE_CHECKING:  # Drawing needs no TensorFlow, which both of these import.
  from configs import base
  from data import dataset as dataset_lib

_IMAGE_SIDE, _FRAME_SIDE = 128, 96  # Pixels, at least.
_MAX_TRAJECTORIES = 4
# Steps of the sampler that a trajectory shows (Figure 11).
_TRAJECTORY = (1, 2, 4, 8, 16)
_VIDEO_LEGEND = (
  sheets.Entry('Rows: frames, ground truth, predictions.'),
  sheets.Entry('A colour is the id of a thing; stuff is dark.'),
)


def shown_steps(total: int) -> list[int]:
  """The numbers of the steps, of so many, that a trajectory shows."""
  return [n for n in _TRAJECTORY if n < total] + [total]


def image_sheets(
  config: 'base.Experiment',
  dataset: 'dataset_lib.Dataset',
  examples: Iterable[tuple[Mapping[str, Any], Sequence[np.ndarray]]],
  steps: Sequence[int],
) -> dict[str, np.ndarray]:
  """Image, ground truth and prediction side by side; and trajectories.

  Args:
    config: The experiment.
    dataset: The data set of the examples.
    examples: Of each 'image_id', 'resized_size' and 'original_size', and its
      label maps, integers `[h, w, 2]`, after more and more steps.
    steps: The numbers of these steps.

  Returns:
    'predictions' and 'trajectory', uint8 `[H, W, 3]`.
  """
  predictions, trajectories = [], []
  shown: list[maps.PanopticMap] = []
  for row, label_maps in examples:
    found = _maps(config, dataset, row, label_maps)
    image, truth, *later = _cells(dataset, row, found, _IMAGE_SIDE)
    predictions.append([image, truth, later[-1]])
    trajectories.append([image, *later])
    shown += found
  entries = sheets.legend(shown, dataset.classes)
  return {
    'predictions': sheets.sheet(
      predictions, ('image', 'ground truth', 'prediction'), entries
    ),
    'trajectory': sheets.sheet(
      trajectories[:_MAX_TRAJECTORIES],
      ('image', *(f'step {number}' for number in steps)),
      entries,
    ),
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
      _cells(
        dataset,
        row,
        _maps(config, dataset, row, [row['label_map']]),
        _FRAME_SIDE,
        by_id=True,
      )
      for row in video
    ]
    strips += zip(*frames, strict=True)
  titles = [f'frame {t}' for t in range(max(map(len, strips)))]
  return sheets.sheet(strips, titles, _VIDEO_LEGEND)


def _maps(config, dataset, row, label_maps) -> list[maps.PanopticMap]:
  """The ground truth and the predictions of an example."""
  return [
    dataset.ground_truth(int(row['image_id'])),
    *(
      decode.decode(
        label_map,
        row['resized_size'],
        row['original_size'],
        scorer.rule(config),
        dataset.classes,
      )
      for label_map in label_maps
    ),
  ]


def _cells(dataset, row, found, side, by_id=False) -> list[np.ndarray]:
  """The image of an example and some maps of it, large enough to see."""
  image = dataset.image(int(row['image_id']))
  painted = [draw.paint(one, dataset.classes, by_id) for one in found]
  factor = draw.enlargement(image.shape[:2], side)
  return [draw.enlarge(cell, factor) for cell in (image, *painted)]
