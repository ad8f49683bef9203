"""Predicted frames to STQ and VPQ, or J&F, and to official result files."""

import bisect
import os
from typing import Any, Callable, Dict, List, Mapping

import numpy as np

from configs import base
from data import dataset, video_pipeline
from metrics import registry
from panoptic import classes as classes_lib
from panoptic import png
from tasks import panoptic, segments


class Scorer:
  """Takes the frames of each video in order; keeps none of them."""

  def __init__(
    self,
    config: base.Experiment,
    dataset: dataset.Dataset,
    results_dir: str = '',
  ):
    """Starts with no frame.

    Args:
      config: the experiment.
      dataset: of videos; see `data.contract`.
      results_dir: where official files go; '' for none.
    """
    self._config, self._dataset = config, dataset
    self._names = list(dataset.sequences)
    limit = config.evaluation.video.max_frames
    self._ends = [
      [piece.stop for piece in video_pipeline.pieces(len(frames), limit)]
      for frames in dataset.sequences.values()
    ]
    self._results_dir = results_dir
    self._frames = 0
    spec = registry.METRICS[config.evaluation.video.metric]
    self._metric = spec.make(dataset.classes)

  def update(self, outputs: Mapping[str, np.ndarray]) -> None:
    """Takes rows of `Video.predict_step`, without padding rows."""
    for row in zip(
      outputs['label_map'],
      outputs['image_id'].tolist(),
      outputs['unpadded_size'],
      outputs['original_size'],
      outputs['sequence'].tolist(),
      outputs['frame'].tolist(),
      strict=True,
    ):
      self._update(*row)

  def _update(
    self, label_map, image_id, unpadded_size, original_size, sequence, frame
  ):
    segment_ids, found = panoptic.to_segments(
      label_map,
      unpadded_size,
      original_size,
      self._config,
      self._dataset.classes,
    )
    # Nothing is remembered from one piece of a video to the next, so an id of
    # both is two objects. Those of another class may share a number.
    piece = bisect.bisect(self._ends[sequence], frame)
    if piece:
      shift = piece * self._config.model.max_instances
      segment_ids = np.where(segment_ids > 0, segment_ids + shift, 0)
      found = [{**segment, 'id': segment['id'] + shift} for segment in found]
    self._metric.update(
      self._dataset.ground_truth(image_id),
      segments.as_map(segment_ids, found),
      self._names[sequence],
    )
    self._frames += 1
    if self._results_dir:
      stem = os.path.splitext(self._dataset.file_name(image_id))[0]
      path = os.path.join(self._results_dir, f'{stem}.png')
      writer(self._config)(path, segment_ids, found, self._dataset.classes)

  def result(self) -> Dict[str, float]:
    """Scores in percent, and 'frames', their number."""
    return {**self._metric.result(), 'frames': self._frames}


def writer(config: base.Experiment) -> Callable[..., None]:
  """`write_davis` where J&F is the metric, else `write_step`."""
  davis = config.evaluation.video.metric == 'j_and_f'
  return write_davis if davis else write_step


def write_davis(
  path: str,
  segment_ids: np.ndarray,
  found: List[Mapping[str, Any]],
  classes: classes_lib.ClassTable,
) -> None:
  """Writes ids as a palette PNG, in DAVIS' format; classes are left out."""
  del found, classes
  png.write_ids(path, segment_ids, png.DAVIS)


def write_step(
  path: str,
  segment_ids: np.ndarray,
  found: List[Mapping[str, Any]],
  classes: classes_lib.ClassTable,
) -> None:
  """Writes an RGB map in KITTI-STEP's format.

  The class is the contiguous one less one, which is KITTI-STEP's train id, and
  255 for void; stuff has instance 0.
  """
  category, instance = np.zeros([2, int(segment_ids.max()) + 1], np.int64)
  things = {c.id for c in classes.categories if c.isthing}
  for segment in found:
    category[segment['id']] = classes.to_contiguous(segment['category_id'])
    if segment['category_id'] in things:
      instance[segment['id']] = segment['id']
  train_id = np.where(category > 0, category - 1, 255)
  ids = png.kitti_step_ids(train_id[segment_ids], instance[segment_ids], path)
  png.write_ids(path, ids, png.KITTI_STEP)
