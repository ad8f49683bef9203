"""Predicted frames to STQ and VPQ, or J&F, and to official result files."""

import bisect
import os
from typing import Any, Callable, Dict, List, Mapping, Tuple

import numpy as np

from configs import base
from data import dataset, video_pipeline
from metrics import j_and_f, region_boundary, stq, tubes, video_maps, vpq
from panoptic import classes as classes_lib
from panoptic import maps
from tasks import panoptic

# The score that counts, by `evaluation.video.metric`.
METRICS = {'stq': 'STQ', 'j_and_f': 'J_and_F'}
_DIVISOR = 2**16


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
      [chunk.stop for chunk in video_pipeline.chunks(len(frames), limit)]
      for frames in dataset.sequences.values()
    ]
    self._results_dir = results_dir
    self._frames = 0
    make = _JAndF if config.evaluation.video.metric == 'j_and_f' else _Tubes
    self._scores = make(dataset.classes)

  def update(self, outputs: Mapping[str, np.ndarray]) -> None:
    """Takes rows of `Video.predict_step`, without padding rows."""
    for row in zip(
      outputs['label_map'],
      outputs['image_id'].tolist(),
      outputs['resized_size'],
      outputs['original_size'],
      outputs['sequence'].tolist(),
      outputs['frame'].tolist(),
      strict=True,
    ):
      self._update(*row)

  def _update(
    self, label_map, image_id, resized_size, original_size, sequence, frame
  ):
    segment_ids, found = panoptic.to_segments(
      label_map,
      resized_size,
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
    self._scores.update(
      self._dataset.ground_truth(image_id),
      maps.PanopticMap(segment_ids, found),
      self._names[sequence],
    )
    self._frames += 1
    if self._results_dir:
      stem = os.path.splitext(self._dataset.file_name(image_id))[0]
      path = os.path.join(self._results_dir, f'{stem}.png')
      writer(self._config)(path, segment_ids, found, self._dataset.classes)

  def result(self) -> Dict[str, float]:
    """Scores in percent, and 'frames', their number."""
    return {**self._scores.result(), 'frames': self._frames}


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
  video_maps.write_davis(path, segment_ids)


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
  video_maps.write_kitti_step(
    path, train_id[segment_ids], instance[segment_ids]
  )


class _Tubes:
  """STQ and VPQ, in which crowd excuses predictions, as in COCO."""

  def __init__(self, classes: classes_lib.ClassTable):
    self._classes = classes
    things = tuple(
      number
      for number, category in enumerate(classes.categories, start=1)
      if category.isthing
    )
    self._things = things
    space = tubes.LabelSpace(
      num_classes=classes.num_classes,
      things=things,
      void=0,
      label_divisor=_DIVISOR,
    )
    self._stq = stq.SegmentationTrackingQuality(space)
    self._vpq = vpq.VideoPanopticQuality(space)
    # Ids as numbers below the divisor, whatever they are.
    self._true_numbers: Dict[Tuple[str, int], int] = {}
    self._found_numbers: Dict[Tuple[str, int], int] = {}

  def update(self, truth, prediction, sequence: str) -> None:
    true_labels = self._labels(truth, sequence, self._true_numbers)
    found = self._labels(prediction, sequence, self._found_numbers)
    self._stq.update(true_labels, found, sequence)
    self._vpq.update(true_labels, found, sequence)

  def _labels(
    self,
    segmented: maps.PanopticMap,
    sequence: str,
    numbers: Dict[Tuple[str, int], int],
  ) -> np.ndarray:
    """class * divisor + instance; stuff and crowds have instance 0."""
    ids, place = np.unique(segmented.segment_ids, return_inverse=True)
    label_of = {0: 0}
    for segment in segmented.segments:
      kind = int(self._classes.to_contiguous(segment['category_id']))
      label = kind * _DIVISOR
      if kind in self._things and not segment['iscrowd']:
        label += numbers.setdefault(
          (sequence, segment['id']), len(numbers) % (_DIVISOR - 1) + 1
        )
      label_of[segment['id']] = label
    table = np.array([label_of[i] for i in ids.tolist()], np.int32)
    return table[place].reshape(segmented.segment_ids.shape)

  def result(self) -> Dict[str, float]:
    of_tubes, of_windows = self._stq.result(), self._vpq.result()
    scores = {name: of_tubes[name] for name in ('STQ', 'AQ', 'SQ')}
    for group, suffix in (
      ('All', ''),
      ('Things', '_things'),
      ('Stuff', '_stuff'),
    ):
      scores[f'VPQ{suffix}'] = of_windows['VPQ'][group]
    for k, row in of_windows['per_length'].items():
      scores[f'VPQ_{k}'] = row['All']['pq']
    return {name: 100 * value for name, value in scores.items()}


class _JAndF:
  """J&F of DAVIS, unsupervised: objects by their ids, without classes."""

  def __init__(self, classes: classes_lib.ClassTable):
    del classes
    self._metric = j_and_f.JAndF('unsupervised')

  def update(self, truth, prediction, sequence: str) -> None:
    objects = truth.segment_ids
    if truth.void is not None:
      objects = np.where(truth.void, region_boundary.VOID, objects)
    self._metric.update(objects, prediction.segment_ids, sequence)

  def result(self) -> Dict[str, float]:
    scores = {}
    for name, value in self._metric.result()['global'].items():
      name = name.replace('J&F-Mean', 'J_and_F').replace('-', '_')
      scores[name] = value if name == 'objects' else 100 * value
    return scores
