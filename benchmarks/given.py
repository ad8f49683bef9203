"""What a given map is worth: the score of the rest, or of objects followed.

  python -m benchmarks.given --model_dir=runs/shapes
  python -m benchmarks.given --model_dir=runs/moving_shapes

Of a model of images, a part of the true map is given (`--given` of main):
pixels at random, or one whole segment. The rest is scored by PQ; given pixels
are void in the ground truth, so they do not count. The same rest is scored
beside it where nothing was given. Of a model of videos, the things of the first
frame are given (`--first_mask`), and followed: J&F of DAVIS' semi-supervised
task, beside that of its unsupervised one, where nothing is given.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from absl import app, flags

from benchmarks.measuring import spread
from data import dataset, registry
from metrics import j_and_f, panoptic_quality, region_boundary
from panoptic import classes as classes_lib
from panoptic import maps, runs
from panoptic.console import command_line
from tasks import predictor as predictor_lib

# Of a true map and random numbers: the pixels that are given, bool [h, w].
Choice = Callable[[np.ndarray, np.random.Generator], np.ndarray]

_UNSUPERVISED = 'unsupervised'
_FOLLOWED = 'semi-supervised'
_MOST = region_boundary.VOID - 1  # Proposals.


def pixels(share: float) -> Choice:
  """Gives each pixel with this probability."""
  return lambda ids, random: random.random(ids.shape) < share


def one_segment(ids: np.ndarray, random: np.random.Generator) -> np.ndarray:
  """Gives a segment, each with the same probability."""
  present = np.setdiff1d(ids, [maps.VOID])
  return ids == random.choice(present) if len(present) else ids < 0


def cut(whole: maps.PanopticMap, kept: np.ndarray) -> maps.PanopticMap:
  """The map with void outside of `kept`, bool `[h, w]`."""
  ids = np.where(kept, whole.segment_ids, maps.VOID)
  found, areas = runs.areas(ids)
  area = dict(zip(found.tolist(), areas.tolist(), strict=True))
  segments = [
    segment._replace(area=area[segment.id])
    for segment in whole.segments
    if segment.id in area
  ]
  return maps.PanopticMap(ids, segments)


def of_images(
  predictor: predictor_lib.Predictor,
  images: dataset.Dataset,
  choices: Mapping[str, Choice],
  seeds: Sequence[int],
  count: int,
) -> Iterator[tuple[str, list[float], list[float]]]:
  """Scores the rest of images.

  Args:
    predictor: A model of images.
    images: Those to score.
    choices: What is given, by name.
    seeds: Of the noise and the choice.
    count: The number of images; fewer if there are not so many.

  Yields:
    The name, and the PQ of each seed, with and without what is given.
  """
  ids = list(images.image_ids[:count])
  inputs = [images.image(i) for i in ids]
  truths = [images.ground_truth(i) for i in ids]
  alone = [
    predictor(inputs, seed=seed, index=range(len(ids))) for seed in seeds
  ]
  for name, choose in choices.items():
    scores: tuple[list[float], list[float]] = [], []
    for seed, without in zip(seeds, alone, strict=True):
      random = np.random.default_rng(seed)
      chosen = [choose(truth.segment_ids, random) for truth in truths]
      given = list(map(cut, truths, chosen))
      completed = predictor(
        inputs, seed=seed, index=range(len(ids)), given=given
      )
      rests = [
        cut(truth, ~given) for truth, given in zip(truths, chosen, strict=True)
      ]
      for found, predictions in zip(scores, (completed, without), strict=True):
        found.append(_quality(predictor.classes, rests, predictions))
    yield name, *scores


def _quality(
  classes: classes_lib.ClassTable, truths: Sequence, predictions: Sequence
) -> float:
  quality = panoptic_quality.PanopticQuality(classes.categories)
  for truth, prediction in zip(truths, predictions, strict=True):
    quality.update(truth, prediction.panoptic_map)
  return quality.result()['PQ']


def of_videos(
  predictor: predictor_lib.Predictor,
  videos: dataset.Dataset,
  seeds: Sequence[int],
  count: int,
) -> dict[str, list[float]]:
  """Scores objects that are followed, and objects that are found.

  Args:
    predictor: A model of videos.
    videos: Those to score; ones without a thing in the first frame are not.
    seeds: Of the noise.
    count: The number of videos; fewer if there are not so many.

  Returns:
    J&F of each seed, by the name of DAVIS' task.
  """
  scores: dict[str, list[float]] = {_FOLLOWED: [], _UNSUPERVISED: []}
  for seed in seeds:
    metrics = {task: j_and_f.JAndF(task, _MOST) for task in scores}
    for name in list(videos.sequences)[:count]:
      frames = [videos.image_ids[i] for i in videos.sequences[name]]
      images = [videos.image(i) for i in frames]
      truths = [_things(videos.ground_truth(i), videos.classes) for i in frames]
      first = _numbered(truths[0])
      if not first.segments:
        continue
      numbers = _numbers(truths[0], first)
      truths = [_renamed(truth, numbers) for truth in truths]
      found = {
        _FOLLOWED: predictor.track(images, seed=seed, first_mask=first),
        _UNSUPERVISED: predictor.track(images, seed=seed),
      }
      for task, predictions in found.items():
        maps_ = [one.panoptic_map for one in predictions]
        if task == _FOLLOWED:
          # The ids of the answer are those that class and id have together.
          numbers = _numbers(maps_[0], first)
          maps_ = [_renamed(one, numbers) for one in maps_]
        else:
          maps_ = [_numbered(_things(one, videos.classes)) for one in maps_]
        for truth, prediction in zip(truths, maps_, strict=True):
          metrics[task].update(truth, prediction, name)
    for task, metric in metrics.items():
      scores[task].append(metric.result()['J_and_F'])
  return scores


def _things(
  whole: maps.PanopticMap, classes: classes_lib.ClassTable
) -> maps.PanopticMap:
  things = [
    segment.id
    for segment in whole.segments
    if classes.category(int(classes.to_contiguous(segment.category_id))).isthing
  ]
  return cut(whole, np.isin(whole.segment_ids, things))


def _numbered(whole: maps.PanopticMap) -> maps.PanopticMap:
  """With the ids 1, 2, ..."""
  ids = [segment.id for segment in whole.segments]
  return _renamed(whole, {i: n for n, i in enumerate(ids, start=1)})


def _numbers(
  whole: maps.PanopticMap, numbered: maps.PanopticMap
) -> dict[int, int]:
  """The ids that the segments of one map have in another of the same image."""
  of_segment = numbered.segment_ids > 0
  pairs = zip(
    whole.segment_ids[of_segment].tolist(),
    numbered.segment_ids[of_segment].tolist(),
    strict=True,
  )
  return dict(pairs)


def _renamed(
  whole: maps.PanopticMap, numbers: Mapping[int, int]
) -> maps.PanopticMap:
  """With other ids; all else becomes background, which is scored."""
  ids = np.zeros_like(whole.segment_ids)
  for old, new in numbers.items():
    ids[whole.segment_ids == old] = new
  segments = [
    segment._replace(id=numbers[segment.id])
    for segment in whole.segments
    if segment.id in numbers
  ]
  return maps.PanopticMap(ids, segments, np.zeros(ids.shape, bool))


def report(
  predictor: predictor_lib.Predictor,
  seeds: Sequence[int],
  count: int,
) -> Iterator[str]:
  """Yields the lines of the table of a model.

  Args:
    predictor: The model.
    seeds: Of the noise.
    count: The number of images or videos.
  """
  config = predictor.config
  examples = registry.create(config.data, config.data.eval_split)
  if config.task == 'video':
    yield '| | J&F |'
    yield '|---|---|'
    found = of_videos(predictor, examples, seeds, count)
    for task, values in found.items():
      yield f'| {task} | {spread.text(values)} |'
    return
  choices = {
    'nothing': pixels(0),
    '1 % of the pixels': pixels(0.01),
    '5 % of the pixels': pixels(0.05),
    '20 % of the pixels': pixels(0.2),
    'one segment': one_segment,
  }
  yield '| given | PQ of the rest | the same rest, nothing given |'
  yield '|---|---|---|'
  rows = of_images(predictor, examples, choices, seeds, count)
  for name, completed, alone in rows:
    yield f'| {name} | {spread.text(completed)} | {spread.text(alone)} |'


def _define_flags() -> None:
  command_line.define_path('model_dir', '', 'Folder of the run.')
  command_line.define_path(
    'checkpoint', '', "Another checkpoint than the run's newest."
  )
  flags.DEFINE_integer('seeds', 3, 'How often to score.', lower_bound=1)
  flags.DEFINE_integer(
    'count', 96, 'At most so many images or videos.', lower_bound=1
  )
  flags.DEFINE_string('params_override', '', 'Fields to change.')


def _run() -> None:
  values: Any = flags.FLAGS
  if not values.model_dir:
    raise ValueError('Give --model_dir, the folder of a run.')
  predictor = predictor_lib.load(
    values.model_dir, values.checkpoint, values.params_override
  )
  for line in report(predictor, range(values.seeds), values.count):
    print(line, flush=True)


def main(argv) -> None:
  """Prints the table."""
  command_line.run(argv, _run)


if __name__ == '__main__':
  _define_flags()
  app.run(main)
