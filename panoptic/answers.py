"""Several answers to one image: probabilities, scores, and the best answer.

The diffusion is sampled, so an image has many answers. Where the image leaves
no doubt they agree; how much they differ elsewhere measures the doubt.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from panoptic import maps, runs, segment_table


class Comparison(NamedTuple):
  """Answers to one image, each compared with all others.

  Attributes:
    scores: Of each answer float64 `[n]`, of its segments: how far the others
      agree on a segment, in [0, 1]. It is the mean over the other answers of
      the segment's largest IoU with one of its class there.
    quality: float64 `[N, N]`, PQ of each answer as if the other were the
      truth, over all segments at once: twice the sum of the IoUs of matches
      (one class, IoU above 0.5), over the segments of both. 1 where both have
      none.
  """

  scores: Sequence[np.ndarray]
  quality: np.ndarray


class Answer(NamedTuple):
  """The answer to an image.

  Attributes:
    prediction: Its segments.
    scores: Of its segments by id, see `Comparison`; {} where nothing was
      compared.
  """

  prediction: maps.PanopticMap
  scores: dict[int, float]


def class_probabilities(class_maps: np.ndarray, num_classes: int) -> np.ndarray:
  """The share of the answers that give a pixel a class.

  Args:
    class_maps: Classes, integers `[N, h, w]` below `num_classes`; 0 for void.
    num_classes: Void included.

  Returns:
    float32 `[h, w, num_classes]`, whose sum over classes is 1.
  """
  shares = [
    np.mean(class_maps == number, axis=0, dtype=np.float32)
    for number in range(num_classes)
  ]
  return np.stack(shares, axis=-1)


def border_probabilities(
  segment_ids: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
  """The share of the answers in which two neighbours are of two segments.

  Args:
    segment_ids: Integers `[N, h, w]`; 0 for void, which counts as a segment.
      Ids need not mean the same in two answers.

  Returns:
    float32 `[h - 1, w]`, of each pixel and the one below, and
    float32 `[h, w - 1]`, of each pixel and the one to its right.
  """
  below = segment_ids[:, 1:] != segment_ids[:, :-1]
  right = segment_ids[:, :, 1:] != segment_ids[:, :, :-1]
  return below.mean(0, dtype=np.float32), right.mean(0, dtype=np.float32)


def borders_at_pixels(below: np.ndarray, right: np.ndarray) -> np.ndarray:
  """What `border_probabilities` returns, as one picture.

  Args:
    below: float32 `[h - 1, w]`.
    right: float32 `[h, w - 1]`.

  Returns:
    float32 `[h, w]`: of each pixel the larger of its two.
  """
  return np.maximum(
    np.pad(below, [(0, 1), (0, 0)]), np.pad(right, [(0, 0), (0, 1)])
  )


def compare(answers: Sequence[maps.PanopticMap]) -> Comparison:
  """Compares each answer with all others.

  Args:
    answers: Two or more, of one size; each segment has a pixel.

  Raises:
    ValueError: If there are fewer, if sizes differ, or if a map and its list of
      segments disagree.
  """
  if len(answers) < 2:
    raise ValueError(
      f'{len(answers)} answers cannot be compared: draw two or more'
    )
  names = [f'answer {number}' for number in range(len(answers))]
  for answer, name in zip(answers, names, strict=True):
    maps.check_map(answer.segment_ids, name)
    if answer.segment_ids.shape != answers[0].segment_ids.shape:
      raise ValueError(
        f'{name} is {list(answer.segment_ids.shape)} and answer 0 '
        f'{list(answers[0].segment_ids.shape)} pixels: give answers to one '
        'image'
      )
  categories = {s.category_id for answer in answers for s in answer.segments}
  tables, rows = [], []
  found = runs.find_runs(*(answer.segment_ids for answer in answers))
  for answer, name in zip(answers, names, strict=True):
    table = segment_table.index_segments(
      answer.segments, {c: c for c in categories}, name
    )
    ids = answer.segment_ids.ravel()[found.start]
    tables.append(table)
    rows.append(segment_table.rows_of(ids, table.ids, name))
  scores = [np.zeros(len(table.ids) - 1) for table in tables]
  quality = np.eye(len(answers))
  for i in range(len(answers)):
    for j in range(i):
      iou = _iou(tables[i], tables[j], rows[i], rows[j], found.length)
      scores[i] += iou.max(1, initial=0.0)
      scores[j] += iou.max(0, initial=0.0)
      segments = sum(iou.shape)
      matches = 2 * iou[iou > 0.5].sum()
      quality[i, j] = quality[j, i] = matches / segments if segments else 1.0
  return Comparison([s / (len(answers) - 1) for s in scores], quality)


def _iou(table, other, rows, other_rows, length) -> np.ndarray:
  """IoU of each two segments of two answers; 0 where their classes differ.

  Void is left out as a segment, not of the unions.
  """
  width = len(other.ids)
  pixels = np.bincount(
    rows * width + other_rows, length, len(table.ids) * width
  )
  pixels = pixels.reshape(-1, width)
  union = pixels.sum(1, keepdims=True) + pixels.sum(0) - pixels
  same_class = table.category[:, np.newaxis] == other.category
  return (np.where(same_class, pixels, 0) / np.maximum(union, 1))[1:, 1:]


def medoid(comparison: Comparison) -> int:
  """The answer whose mean PQ with the others is highest; of equals the first.

  It is the one of the answers that is the best guess at all of them.
  """
  # Rounded, since the sums of equals may differ in their last digit.
  return int(np.argmax(comparison.quality.sum(1).round(9)))


def scored(answers: Sequence[maps.PanopticMap]) -> list[Answer]:
  """All answers, with the scores of their segments; those of one have none."""
  if len(answers) < 2:
    return [Answer(answer, {}) for answer in answers]
  return list(map(_answer, answers, compare(answers).scores))


def _answer(answer: maps.PanopticMap, scores: np.ndarray) -> Answer:
  """An answer with the scores of its segments, which are in their order."""
  ids = [segment.id for segment in answer.segments]
  return Answer(answer, dict(zip(ids, scores.tolist(), strict=True)))


def choose(
  answers: Sequence[maps.PanopticMap],
  min_score: float = 0.0,
  always: Collection[int] = (),
) -> Answer:
  """The medoid of answers, without the segments that the others agree less on.

  Args:
    answers: As for `compare`.
    min_score: Segments with a lower score become void.
    always: Ids of segments that stay, whatever their score.

  Raises:
    ValueError: As `compare`.
  """
  comparison = compare(answers)
  number = medoid(comparison)
  answer, scores = _answer(answers[number], comparison.scores[number])
  scores = {
    i: score for i, score in scores.items() if score >= min_score or i in always
  }
  ids = answer.segment_ids
  prediction = maps.PanopticMap(
    np.where(np.isin(ids, list(scores)), ids, 0).astype(ids.dtype),
    [segment for segment in answer.segments if segment.id in scores],
  )
  return Answer(prediction, scores)
