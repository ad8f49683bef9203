"""Panoptic quality: golden figures, the COCO rules by hand, bad input."""

import json

import numpy as np
import pytest
import shared
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics import panoptic_files
from metrics.panoptic_quality import PanopticQuality
from panoptic.classes import Category
from panoptic.maps import PanopticMap, Segment

PERSON, CAR, SKY = 1, 7, 90
CATEGORIES = [
  Category(PERSON, 'person', True),
  Category(CAR, 'car', True),
  Category(SKY, 'sky', False),
]


def panoptic_map(rows, categories, crowd=()):
  """A map from rows of digits (0 void) and {id: category_id}."""
  ids = np.array([[int(digit) for digit in row] for row in rows])
  segments = [Segment(i, c, int(i in crowd)) for i, c in categories.items()]
  return PanopticMap(ids, segments)


def score(*pairs):
  quality = PanopticQuality(CATEGORIES)
  for ground_truth, prediction in pairs:
    quality.update(ground_truth, prediction)
  return quality.details()


def counts(result, category):
  row = result['per_category'][category]
  return row['tp'], row['fp'], row['fn']


def random_map(rng, category, crowd=False):
  """A random [9, 11] map of at most five rectangles and some void."""
  ids = np.zeros([9, 11], np.int64)
  for i in rng.integers(1, 6, 5):
    y, x = rng.integers(0, [9, 11])
    ids[y : y + rng.integers(2, 7), x : x + rng.integers(2, 7)] = i
  present = np.unique(ids[ids > 0]).tolist()
  segments = [
    Segment(i, category[i], int(crowd and rng.random() < 0.3)) for i in present
  ]
  return PanopticMap(ids, segments)


def random_pair(rng):
  category = dict(
    enumerate(rng.choice([PERSON, CAR, SKY], 5).tolist(), start=1)
  )
  ground_truth = random_map(rng, category, crowd=True)
  prediction = random_map(rng, category)
  if rng.random() < 0.5:  # Or hardly anything would ever match.
    keep = np.arange(9)[:, None] < rng.integers(6, 10)
    ids = np.where(keep, ground_truth.segment_ids, 0)
    segments = [s for s in ground_truth.segments if (ids == s.id).any()]
    prediction = PanopticMap(ids, segments)
  return ground_truth, prediction


def golden_images():
  folder = shared.path('golden', 'metrics', 'pq')
  contents = {}
  for side in ('gt', 'pred'):
    path = folder / f'{side}.json'
    content = panoptic_files.read_json(path)
    contents[side] = panoptic_files.read_annotations(
      content, path, folder / side
    )
    if side == 'gt':
      categories = panoptic_files.read_categories(content, path)
  maps = {
    image_id: [image.read() for image in (gt, contents['pred'][image_id])]
    for image_id, gt in contents['gt'].items()
  }
  expected = json.loads((folder / 'expected.json').read_text())
  return categories, maps, expected


def test_golden_all_images():
  categories, maps, expected = golden_images()
  quality = PanopticQuality(categories)
  for image_id, pair in maps.items():
    quality.update(*pair, name=image_id)
  result = quality.details()
  assert quality.num_images == expected['images']
  for group in ('All', 'Things', 'Stuff'):
    assert result[group]['n'] == expected[group]['n']
    assert result[group] == pytest.approx(expected[group], abs=1e-9)
  assert len(result['per_category']) == len(expected['per_category'])
  for category, row in expected['per_category'].items():
    ours = result['per_category'][int(category)]
    assert ours == pytest.approx(row, abs=1e-9), category
    assert [ours[k] for k in ('tp', 'fp', 'fn')] == [
      row[k] for k in ('tp', 'fp', 'fn')
    ]


def test_golden_every_image_alone():
  categories, maps, expected = golden_images()
  for image_id, pair in maps.items():
    quality = PanopticQuality(categories)
    quality.update(*pair, name=image_id)
    case = expected['per_image'][str(image_id)]
    ours = {
      str(c): {k: row[k] for k in ('tp', 'fp', 'fn', 'iou_sum')}
      for c, row in quality.details()['per_category'].items()
      if row['tp'] + row['fp'] + row['fn']
    }
    assert ours.keys() == case['per_category'].keys(), case['case']
    for c, row in case['per_category'].items():
      assert ours[c] == pytest.approx(row, abs=1e-9), case['case']


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_a_perfect_prediction_scores_one(seed):
  rng = np.random.default_rng(seed)
  exact = random_map(rng, {1: PERSON, 2: CAR, 3: SKY, 4: PERSON, 5: CAR})
  result = score((exact, exact))
  present = {s.category_id for s in exact.segments}
  assert result['All'] == {'pq': 1, 'sq': 1, 'rq': 1, 'n': len(present)}


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_relabelling_ids_changes_nothing(seed):
  rng = np.random.default_rng(seed)
  pair = random_pair(rng)
  relabelled = []
  for panoptic in pair:
    new = np.append(0, rng.choice(2**24 - 1, 5, replace=False) + 1)
    segments = [s._replace(id=int(new[s.id])) for s in panoptic.segments]
    relabelled.append(PanopticMap(new[panoptic.segment_ids], segments))
  assert score(relabelled) == score(pair)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_merging_streams_equals_one_stream(seed):
  rng = np.random.default_rng(seed)
  pairs = [random_pair(rng) for _ in range(6)]
  first, second = PanopticQuality(CATEGORIES), PanopticQuality(CATEGORIES)
  for pair in pairs[:2]:
    first.update(*pair)
  for pair in pairs[2:]:
    second.update(*pair)
  first.merge(second)
  merged, whole = first.details(), score(*pairs)
  assert first.num_images == 6
  for group in ('All', 'Things', 'Stuff'):
    assert merged[group] == pytest.approx(whole[group], abs=1e-12)
  for category, row in whole['per_category'].items():
    assert merged['per_category'][category] == pytest.approx(row, abs=1e-12)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_equals_a_count_by_masks(seed):
  gt, pred = random_pair(np.random.default_rng(seed))
  result = score((gt, pred))
  void = gt.segment_ids == 0
  for category in (PERSON, CAR, SKY):
    mine = [s for s in gt.segments if s.category_id == category]
    targets = [gt.segment_ids == s.id for s in mine if not s.iscrowd]
    crowds = [gt.segment_ids == s.id for s in mine if s.iscrowd]
    ignored = void | crowds[-1] if crowds else void
    segments = [
      pred.segment_ids == s.id
      for s in pred.segments
      if s.category_id == category
    ]
    ious = np.array(
      [
        [(t & s).sum() / (t | (s & ~void)).sum() for s in segments]
        for t in targets
      ]
    ).reshape(len(targets), len(segments))
    match = ious > 0.5
    excused = np.array([(s & ignored).sum() * 2 > s.sum() for s in segments])
    fp = sum(~match.any(0) & ~excused.astype(bool))
    row = result['per_category'][category]
    assert row['iou_sum'] == pytest.approx(ious[match].sum(), abs=1e-12)
    assert counts(result, category) == (
      match.sum(),
      fp,
      len(targets) - match.sum(),
    )


def test_iou_of_exactly_half_is_no_match():
  result = score(
    (
      panoptic_map(['1122'], {1: CAR, 2: SKY}),
      panoptic_map(['1222'], {1: CAR, 2: SKY}),
    )
  )
  assert counts(result, CAR) == (0, 1, 1)
  assert counts(result, SKY) == (1, 0, 0)
  assert result['Stuff'] == pytest.approx(
    {'pq': 2 / 3, 'sq': 2 / 3, 'rq': 1, 'n': 1}
  )


def test_another_category_is_no_match():
  exact = ['11']
  result = score(
    (panoptic_map(exact, {1: CAR}), panoptic_map(exact, {1: PERSON}))
  )
  assert counts(result, CAR) == (0, 0, 1)
  assert counts(result, PERSON) == (0, 1, 0)
  assert result['Things'] == {'pq': 0, 'sq': 0, 'rq': 0, 'n': 2}


def test_predicted_pixels_on_void_leave_the_union():
  result = score(
    (panoptic_map(['110000'], {1: CAR}), panoptic_map(['111111'], {1: CAR}))
  )
  assert result['per_category'][CAR]['iou_sum'] == 1


@pytest.mark.parametrize(
  'rows, fp', [(['1100'], 1), (['1000'], 0), (['0000'], 0)]
)
def test_only_strictly_more_than_half_on_void_excuses(rows, fp):
  ids = {1: SKY} if '1' in rows[0] else {}
  result = score((panoptic_map(rows, ids), panoptic_map(['2222'], {2: CAR})))
  assert counts(result, CAR) == (0, fp, 0)


@pytest.mark.parametrize(
  'crowd_category, fp', [(CAR, 0), (PERSON, 1)], ids=['own', 'other']
)
def test_only_a_crowd_of_the_own_category_excuses(crowd_category, fp):
  ground_truth = panoptic_map(['1112'], {1: crowd_category, 2: SKY}, crowd={1})
  prediction = panoptic_map(['1111'], {1: CAR})
  result = score((ground_truth, prediction))
  # Crowd is neither matched nor missed.
  assert counts(result, CAR) == (0, fp, 0)
  assert counts(result, PERSON) == (0, 0, 0)
  assert counts(result, SKY) == (0, 0, 1)


def test_void_and_crowd_add_up():
  ground_truth = panoptic_map(['0123'], {1: CAR, 2: SKY, 3: SKY}, crowd={1})
  result = score((ground_truth, panoptic_map(['1110'], {1: CAR})))
  assert counts(result, CAR) == (0, 0, 0)


def test_crowd_stays_in_the_union_of_a_match():
  ground_truth = panoptic_map(['11122'], {1: CAR, 2: CAR}, crowd={2})
  result = score((ground_truth, panoptic_map(['11110'], {1: CAR})))
  assert counts(result, CAR) == (1, 0, 0)
  assert result['per_category'][CAR]['iou_sum'] == 0.75


@pytest.mark.parametrize('order, fp', [((1, 2), 1), ((2, 1), 0)])
def test_only_the_last_listed_crowd_of_a_category_counts(order, fp):
  categories = {i: CAR for i in order} | {3: SKY}
  ground_truth = panoptic_map(['1112233'], categories, crowd={1, 2})
  result = score((ground_truth, panoptic_map(['1111100'], {1: CAR})))
  assert counts(result, CAR) == (0, fp, 0)


def test_ground_truth_without_pixels_is_missed():
  ground_truth = panoptic_map(['11'], {1: SKY, 2: CAR})
  result = score((ground_truth, panoptic_map(['11'], {1: SKY})))
  assert counts(result, CAR) == (0, 0, 1)


def test_absent_categories_are_left_out_of_means():
  result = score()
  assert result['All'] == {'pq': 0, 'sq': 0, 'rq': 0, 'n': 0}
  exact = panoptic_map(['12'], {1: CAR, 2: SKY})
  result = score((exact, exact))
  assert [result[g]['n'] for g in ('All', 'Things', 'Stuff')] == [2, 1, 1]
  assert result['Things']['pq'] == 1


def test_result_is_plain_json():
  exact = panoptic_map(['12'], {1: CAR, 2: SKY})
  result = score((exact, exact))
  assert json.loads(json.dumps(result))['All'] == result['All']


@pytest.mark.parametrize('dtype', [np.uint8, np.int32, np.uint32, np.int64])
def test_integer_types_and_views_are_the_same(dtype):
  gt = panoptic_map(['112', '133'], {1: CAR, 2: SKY, 3: SKY})
  pred = panoptic_map(['111', '133'], {1: CAR, 3: SKY})
  cast = PanopticMap(gt.segment_ids.astype(dtype), gt.segments)
  fortran = PanopticMap(np.asfortranarray(pred.segment_ids), pred.segments)
  assert score((cast, fortran)) == score((gt, pred))


def test_many_segments_with_close_and_far_ids():
  ids = np.concatenate([np.arange(1, 200), 2**24 - np.arange(1, 202)])
  segments = [Segment(int(i), CAR) for i in ids]
  exact = PanopticMap(ids.reshape(20, 20), segments)
  assert counts(score((exact, exact)), CAR) == (400, 0, 0)


GOOD = panoptic_map(['12'], {1: CAR, 2: SKY})


@pytest.mark.parametrize(
  'ground_truth, prediction, sentence',
  [
    (
      GOOD,
      panoptic_map(['13'], {1: CAR}),
      'image 42, prediction: segment ids 3 are in the map but not in the list',
    ),
    (
      panoptic_map(['13'], {1: CAR}),
      GOOD,
      'image 42, ground truth: segment ids 3 are in the map but not in',
    ),
    (
      GOOD,
      panoptic_map(['12'], {1: CAR, 2: 5}),
      'image 42, prediction: segments 2 have unknown category_id 5',
    ),
    (
      panoptic_map(['12'], {1: 5, 2: SKY}),
      GOOD,
      'image 42, ground truth: segments 1 have unknown category_id 5',
    ),
    (
      GOOD,
      PanopticMap(GOOD.segment_ids, [*GOOD.segments, GOOD.segments[0]]),
      'image 42, prediction: segment ids 1 are listed more than once',
    ),
    (
      GOOD,
      panoptic_map(['12'], {1: CAR, 2: SKY, 4: CAR}),
      'image 42, prediction: segments 4 are listed but have no pixels',
    ),
    (
      GOOD,
      panoptic_map(['10'], {1: CAR, 0: SKY}),
      'image 42, prediction: a segment has id 0, which means void',
    ),
    (
      GOOD,
      PanopticMap(GOOD.segment_ids, [{'id': 1}, {'id': 2}]),
      'image 42, prediction: the segments are not a list of segments',
    ),
    (
      GOOD,
      PanopticMap(GOOD.segment_ids, [Segment(1.5, CAR)]),
      'image 42, prediction: the segments are not a list of segments',
    ),
    (
      GOOD,
      panoptic_map(['12', '12'], {1: CAR, 2: SKY}),
      'image 42: the ground truth is .1, 2. and the prediction .2, 2. pixels',
    ),
    (
      GOOD,
      PanopticMap(GOOD.segment_ids.astype(float), GOOD.segments),
      'image 42, prediction: the segment map is float64',
    ),
    (
      GOOD,
      PanopticMap(GOOD.segment_ids[..., None], GOOD.segments),
      'image 42, prediction: the segment map is int64 .1, 2, 1.',
    ),
    (
      PanopticMap(
        GOOD.segment_ids, [s._replace(area=9) for s in GOOD.segments]
      ),
      GOOD,
      'image 42, ground truth: segment 1 states an area of 9 but has 1 pixels',
    ),
  ],
)
def test_bad_input_is_refused_and_not_counted(
  ground_truth, prediction, sentence
):
  quality = PanopticQuality(CATEGORIES)
  before = quality.details()
  with pytest.raises(ValueError, match=sentence) as raised:
    quality.update(ground_truth, prediction, name=42)
  assert '; ' in str(raised.value) and '\n' not in str(raised.value)
  assert quality.details() == before and quality.num_images == 0


def test_an_unnamed_image_is_called_by_its_place():
  quality = PanopticQuality(CATEGORIES)
  quality.update(GOOD, GOOD)
  with pytest.raises(ValueError, match='image 1, prediction'):
    quality.update(GOOD, panoptic_map(['12'], {1: CAR}))


@pytest.mark.parametrize('categories', [[], [CATEGORIES[0]] * 2])
def test_categories_are_checked(categories):
  with pytest.raises(ValueError, match='different ids'):
    PanopticQuality(categories)


@pytest.mark.parametrize(
  'other', [CATEGORIES[:2], [c._replace(isthing=True) for c in CATEGORIES]]
)
def test_streams_of_other_categories_do_not_merge(other):
  with pytest.raises(ValueError, match='different categories'):
    PanopticQuality(CATEGORIES).merge(PanopticQuality(other))


def test_scores_are_in_percent():
  quality = PanopticQuality(CATEGORIES)
  quality.update(
    panoptic_map(['1122'], {1: CAR, 2: SKY}),
    panoptic_map(['1112'], {1: CAR, 2: SKY}),
  )
  scores, details = quality.result(), quality.details()
  assert list(scores) == [
    f'{name}{group}'
    for group in ('', '_things', '_stuff')
    for name in ('PQ', 'SQ', 'RQ')
  ]
  assert scores['PQ_things'] == 100 * details['Things']['pq'] > 0
  assert scores['PQ'] == 50 * (details['Things']['pq'] + details['Stuff']['pq'])
