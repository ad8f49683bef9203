"""Tests of what several answers tell: probabilities, scores, the medoid."""

import numpy as np
import pytest

from metrics import panoptic_quality
from panoptic import answers
from panoptic.classes import Category
from panoptic.maps import PanopticMap, Segment


def _answer(ids, categories=None):
  """All segments are of category 1, unless `categories` names others."""
  ids = np.array(ids, np.int32)
  categories = categories or {}
  listed = [
    Segment(i, categories.get(i, 1)) for i in np.unique(ids).tolist() if i
  ]
  return PanopticMap(ids, listed)


def test_class_probabilities():
  class_maps = np.array([[[0, 2]], [[0, 1]], [[1, 2]], [[0, 2]]])
  found = answers.class_probabilities(class_maps, 4)
  assert found.dtype == np.float32
  np.testing.assert_array_equal(
    found, [[[0.75, 0.25, 0, 0], [0, 0.25, 0.75, 0]]]
  )


def test_border_probabilities_do_not_depend_on_ids():
  # The right column is of a segment of its own in one answer of two.
  ids = np.array([[[3, 3, 3], [3, 3, 3]], [[5, 5, 0], [7, 7, 0]]])
  below, right = answers.border_probabilities(ids)
  np.testing.assert_array_equal(below, [[0.5, 0.5, 0]])
  np.testing.assert_array_equal(right, [[0, 0.5], [0, 0.5]])


def test_borders_of_both_directions_become_one_picture():
  below, right = np.array([[0.5, 0.0]]), np.array([[0.25], [1.0]])
  found = answers.borders_at_pixels(below, right)
  np.testing.assert_array_equal(found, [[0.5, 0], [1, 0]])


def test_scores_are_mean_best_ious_of_one_class():
  first = _answer([[1, 1, 1, 1, 2, 2, 0, 0]], {2: 7})
  second = _answer([[4, 4, 4, 0, 5, 5, 5, 5]], {5: 7})
  third = _answer([[9, 9, 9, 9, 8, 8, 0, 0]], {8: 3})
  found = answers.compare([first, second, third])
  np.testing.assert_allclose(found.scores[0], [(0.75 + 1) / 2, (0.5 + 0) / 2])
  np.testing.assert_allclose(found.scores[1], [0.75, (0.5 + 0) / 2])
  np.testing.assert_allclose(found.scores[2], [0, (1 + 0.75) / 2])
  # An IoU of 0.5 is no match.
  np.testing.assert_allclose(
    found.quality,
    [[1, 0.75 / 2, 1 / 2], [0.75 / 2, 1, 0.75 / 2], [1 / 2, 0.75 / 2, 1]],
  )


def test_all_answers_have_scores():
  first = _answer([[1, 1, 1, 1, 2, 2, 0, 0]], {2: 7})
  second = _answer([[4, 4, 4, 0, 5, 5, 5, 5]], {5: 7})
  found = answers.scored([first, second])
  assert [one.prediction for one in found] == [first, second]
  assert [one.scores for one in found] == [{1: 0.75, 2: 0.5}, {4: 0.75, 5: 0.5}]
  assert answers.scored([first]) == [(first, {})]


@pytest.mark.parametrize('seed', range(3))
def test_quality_is_pq_of_a_single_category(seed):
  random = np.random.default_rng(seed)
  # Without void, which the metric leaves out of unions.
  first = random.integers(1, 5, [6, 9])
  second = np.where(random.random([6, 9]) < 0.3, 4, first)
  truth, prediction = _answer(first), _answer(second)
  pq = panoptic_quality.PanopticQuality([Category(1, 'cup', True)])
  pq.update(truth, prediction)
  expected = pq.result()['PQ'] / 100
  found = answers.compare([truth, prediction]).quality
  np.testing.assert_allclose(found[0, 1], expected)
  assert 0 < expected < 1


def test_the_medoid_agrees_best():
  ids = np.repeat([[1, 1, 2, 2, 3, 3, 4, 4]], 4, axis=0)
  changed = ids.copy()
  changed[:, 0] = 4
  other = np.where(ids > 2, 1, ids)
  found = answers.compare([_answer(x) for x in (other, changed, ids, ids)])
  assert answers.medoid(found) == 2
  # Of equals the first.
  assert answers.medoid(answers.compare([_answer(ids)] * 3)) == 0


def test_a_segment_that_is_not_agreed_on_becomes_void():
  sure = [[1, 1, 0, 0, 2, 2]]
  others = [_answer(sure), _answer([[3, 3, 0, 0, 4, 4]])]
  # Others have no third segment.
  doubtful = _answer([[1, 1, 5, 5, 2, 2]])
  whole = answers.choose([doubtful, *others])
  assert whole.prediction.segment_ids.tolist() == sure
  assert whole.scores == {1: 1, 2: 1}
  whole = answers.choose([doubtful, doubtful, *others[:1]])
  assert whole.scores == {1: 1, 2: 1, 5: 0.5}
  some = answers.choose([doubtful, doubtful, *others[:1]], min_score=0.6)
  assert some.prediction.segment_ids.tolist() == sure
  assert some.prediction.segment_ids.dtype == np.int32
  assert [s.id for s in some.prediction.segments] == [1, 2]
  assert some.scores == {1: 1, 2: 1}
  kept = answers.choose([doubtful, doubtful, *others[:1]], 0.6, always=[5])
  assert kept.scores == whole.scores
  np.testing.assert_array_equal(
    kept.prediction.segment_ids, whole.prediction.segment_ids
  )


def test_answers_of_nothing():
  nothing, something = _answer([[0, 0]]), _answer([[1, 1]])
  found = answers.compare([nothing, nothing, something])
  np.testing.assert_array_equal(
    found.quality, [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
  )
  assert [scores.tolist() for scores in found.scores] == [[], [], [0]]
  assert answers.choose([nothing, nothing]).scores == {}


@pytest.mark.parametrize(
  ('found', 'sentence'),
  [
    ([_answer([[1]])], '1 answers cannot be compared: draw two or more'),
    ([_answer([[1]]), _answer([[1, 1]])], r'answer 1 is \[1, 2\] and answer 0'),
    ([_answer([[1]]), PanopticMap(np.array([[2]]), [])], 'answer 1: .*ids 2'),
  ],
)
def test_what_cannot_be_compared(found, sentence):
  with pytest.raises(ValueError, match=sentence) as error:
    answers.compare(found)
  assert '\n' not in str(error.value)
