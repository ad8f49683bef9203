"""From predicted label maps to scores and result files, on the host."""

import bisect
import functools
import json
import os
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from data import registry as datasets
from data import streams
from metrics import per_class
from metrics import registry as metrics
from panoptic import answers, decode, files, maps

if TYPE_CHECKING:  # Scoring needs no TensorFlow, which both of these import.
  from configs import base
  from data import dataset as dataset_lib


def rule(config: 'base.Experiment') -> decode.Rule:
  """How the label maps of an experiment become panoptic maps."""
  return decode.Rule(
    image_size=config.model.image_size,
    num_classes=config.model.num_classes,
    max_instances=config.model.max_instances,
    segments_by=config.evaluation.segments_by,
    min_segment_pixels=config.evaluation.min_segment_pixels,
  )


def answer_of(
  label_map: np.ndarray,
  config: 'base.Experiment',
  to_segments: Callable[[np.ndarray], maps.PanopticMap],
  always: Collection[int] = (),
) -> answers.Answer:
  """The answer to an image: of several, the medoid.

  Args:
    label_map: Integers `[h, w, 2]`, or `[N, h, w, 2]` with
      `evaluation.samples` N above 1.
    config: The experiment.
    to_segments: Makes segments of one map, as `decode.decode` does.
    always: As for `answers.choose`.
  """
  settings = config.evaluation
  if settings.samples == 1:
    return answers.Answer(to_segments(label_map), {})
  found = [to_segments(one) for one in label_map]
  return answers.choose(found, settings.min_segment_score, always)


def metric_of(config: 'base.Experiment') -> metrics.Spec:
  """The metric that an experiment is scored by."""
  of_video = config.task == 'video'
  return metrics.METRICS[config.evaluation.video.metric if of_video else 'pq']


class Scorer:
  """Takes label maps as they are predicted, and keeps none of them.

  The frames of a video come in order.
  """

  def __init__(
    self,
    config: 'base.Experiment',
    dataset: 'dataset_lib.Dataset',
    results_dir: str = '',
    table_dir: str = '',
  ):
    """Starts with no example.

    Args:
      config: The experiment.
      dataset: The data set that is scored.
      results_dir: Folder for result files in the data set's format; '' for
        none.
      table_dir: Folder for `per_class.json`; '' for a process that must neither
        write nor print it.
    """
    self._config, self._dataset = config, dataset
    self._rule = rule(config)
    self._table_dir = table_dir
    self._metric = metric_of(config).make(dataset.classes)
    self._videos = list(dataset.sequences) if config.task == 'video' else []
    limit = config.evaluation.video.max_frames
    self._ends = [
      [chunk.stop for chunk in streams.chunks(len(frames), limit)]
      for frames in dataset.sequences.values()
    ]
    self._count = 0
    self._writer = None
    if results_dir:
      spec = datasets.get(config.data.name)
      self._writer = spec.result_writer(results_dir, dataset.classes)

  def update(self, outputs: Mapping[str, np.ndarray]) -> None:
    """Takes the valid rows of `Task.predict_step`.

    Args:
      outputs: 'label_map' integers `[b, h, w, 2]`, or `[b, N, h, w, 2]` with
        `evaluation.samples` N above 1, 'image_id' `[b]`, 'resized_size' and
        'original_size' `[b, 2]`; of videos also 'sequence' and 'frame' `[b]`.
    """
    for i, image_id in enumerate(outputs['image_id'].tolist()):
      self._update(image_id, {name: x[i] for name, x in outputs.items()})

  def _update(self, image_id: int, row: Mapping[str, Any]) -> None:
    prediction, scores = answer_of(
      row['label_map'],
      self._config,
      functools.partial(
        decode.decode,
        resized_size=row['resized_size'],
        original_size=row['original_size'],
        rule=self._rule,
        classes=self._dataset.classes,
      ),
    )
    video = ''
    if self._videos:
      number = int(row['sequence'])
      video = self._videos[number]
      chunk = bisect.bisect(self._ends[number], int(row['frame']))
      prediction = self._in_chunk(prediction, chunk)
    name = self._dataset.file_name(image_id)
    truth = self._dataset.ground_truth(image_id)
    self._metric.update(truth, prediction, video, name)
    self._count += 1
    if self._writer is not None:
      file_name = f'{os.path.splitext(name)[0]}.png'
      result_id = self._dataset.result_id(image_id)
      self._writer.add(result_id, file_name, prediction, scores=scores)

  def _in_chunk(self, prediction: maps.PanopticMap, chunk: int):
    """Makes the ids of a video's chunks differ.

    Nothing is remembered from one chunk to the next, so an id of both is two
    objects.
    """
    if not chunk:
      return prediction
    shift = chunk * self._config.model.max_instances
    ids = prediction.segment_ids
    return maps.PanopticMap(
      np.where(ids > 0, ids + shift, 0),
      [s._replace(id=s.id + shift) for s in prediction.segments],
    )

  def result(self) -> dict[str, float]:
    """Scores in percent, and the number of 'images' or 'frames'.

    Scores by class go to `table_dir`.
    """
    if self._writer is not None:
      self._writer.close()
    counted = 'frames' if self._videos else 'images'
    scores = {**self._metric.result(), counted: self._count}
    if self._table_dir:
      self._report_classes(scores)
    return scores

  def _report_classes(self, scores: Mapping[str, float]) -> None:
    """Writes the scores by class, and prints those of a single run."""
    categories = self._dataset.classes.categories
    table = per_class.rows(self._metric.details(), categories)
    if not table:
      return
    path = os.path.join(self._table_dir, 'per_class.json')
    files.make_folders(self._table_dir)
    content = {'scores': dict(scores), 'classes': table}
    files.write_text(path, json.dumps(content, indent=2))
    if self._config.evaluation.runs == 1:
      print(per_class.format_table(table, path), flush=True)
