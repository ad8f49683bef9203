"""STQ: golden figures, cases worked out on paper, bad input."""

import json
import math

import numpy as np
import pytest
import shared
from hypothesis import given, settings
from hypothesis import strategies as st
from label_maps import LabelSpace

from metrics.stq import SegmentationTrackingQuality
from panoptic.classes import Category
from panoptic.maps import PanopticMap, Segment

# Classes: road 0, sky 1, car 2 (a thing); 9 is void.
SPACE = LabelSpace(num_classes=3, things=(2,), void=9, label_divisor=10)
ROAD, SKY, CROWD, CAR, VOID = 0, 10, 20, 21, 90


def make(space=SPACE, **options):
  return SegmentationTrackingQuality(space.categories, **options)


def update(metric, gt, pred, sequence, space=SPACE):
  metric.update(space.panoptic_map(gt), space.panoptic_map(pred), sequence)


def score(*frames, space=SPACE):
  metric = make(space)
  for gt, pred in frames:
    update(metric, np.array([gt]), np.array([pred]), 'a', space)
  return metric.details()


def golden():
  folder = shared.path('golden', 'metrics', 'stq_vpq')
  expected = json.loads((folder / 'expected_stq.json').read_text())
  videos = {name: np.load(folder / f'{name}.npz') for name in expected['kinds']}
  return expected, {n: (v['gt'], v['pred']) for n, v in videos.items()}


def space_of(config):
  return LabelSpace(
    config['num_classes'],
    tuple(config['things']),
    config['ignore_label'],
    config['label_divisor'],
  )


def assert_figures(result, expected, tolerance):
  for key in ('STQ', 'AQ', 'SQ'):
    assert result[key] == pytest.approx(expected[key], abs=tolerance), key


@pytest.mark.parametrize(
  'name, tolerance', [('all_sequences', 1e-6), ('all_sequences_float64', 1e-9)]
)
def test_golden_all_sequences(name, tolerance):
  expected, videos = golden()
  space = space_of(expected['config'])
  metric = make(space)
  for sequence, (gt, pred) in videos.items():
    for frame in zip(gt, pred, strict=True):
      update(metric, *frame, sequence, space)
  result, case = metric.details(), expected[name]
  assert_figures(result, case, tolerance)
  assert result['per_sequence'].keys() == case['per_sequence'].keys()
  for sequence, row in case['per_sequence'].items():
    assert_figures(result['per_sequence'][sequence], row, tolerance)
    assert result['per_sequence'][sequence]['frames'] == row['frames']


def test_golden_each_sequence_alone():
  expected, videos = golden()
  assert expected['each_sequence_alone'].keys() == videos.keys()
  space = space_of(expected['config'])
  for sequence, row in expected['each_sequence_alone'].items():
    metric = make(space)
    for frame in zip(*videos[sequence], strict=True):
      update(metric, *frame, sequence, space)
    assert_figures(metric.details(), row, 1e-6)


def test_golden_with_void_among_the_classes():
  expected, videos = golden()
  case = expected['variant_ignore0']
  space = space_of(case['config'])
  metric = make(space)
  for sequence, video in videos.items():
    for frame in zip(*video, strict=True):
      shifted = [np.where(m >= 255000, m - 255000, m + 1000) for m in frame]
      update(metric, *shifted, sequence, space)
  assert_figures(metric.details(), case['all_sequences'], 1e-6)


def test_a_broken_track_on_paper():
  # One car of 4 pixels over two frames, its id lost in the second one: two
  # predicted tubes of 2, each with TPA 2 and union 4. 1/4 * (4/4 + 4/4) = 1/2.
  result = score(([CAR, CAR], [21, 21]), ([CAR, CAR], [22, 22]))
  assert result['AQ'] == 0.5
  assert result['SQ'] == 1.0
  assert result['STQ'] == math.sqrt(0.5)


def test_the_class_does_not_matter_to_aq_but_to_sq():
  space = LabelSpace(num_classes=4, things=(2, 3), void=9, label_divisor=10)
  result = score(([CAR, ROAD], [35, ROAD]), space=space)
  assert result['AQ'] == 1.0
  assert result['SQ'] == pytest.approx(1 / 3)  # Road; not car, not class 3.


def test_crowd_leaves_the_predicted_tubes():
  # The predicted tube covers car and crowd; of its 3 pixels 1 is compared.
  assert score(([CAR, CROWD, CROWD], [21, 21, 21]))['AQ'] == 1.0


def test_void_does_not_leave_the_predicted_tubes():
  # TPA 1, union 3: 1 / 1 * 1 / 3. The class is right wherever there is one.
  result = score(([CAR, VOID, VOID], [21, 21, 21]))
  assert result['AQ'] == pytest.approx(1 / 3)
  assert result['SQ'] == 1.0


def test_predicted_crowd_is_a_tube():
  assert score(([CAR, CAR], [CROWD, CROWD]))['AQ'] == 1.0


def test_predicted_void_is_one_more_class():
  # Road: 1 / 2; void: 0.
  assert score(([ROAD, ROAD], [ROAD, VOID]))['SQ'] == 0.25
  assert score(([ROAD, VOID], [ROAD, VOID]))['SQ'] == 1.0


def test_instances_of_void_have_no_meaning():
  assert score(([ROAD, 95], [ROAD, 97])) == score(([ROAD, 90], [ROAD, 90]))


def test_tubes_of_all_sequences_are_pooled():
  metric = make()
  update(metric, np.array([[CAR, 22, 23]]), np.array([[CAR, 22, 23]]), 'a')
  update(metric, np.array([[CAR, SKY, SKY]]), np.array([[SKY] * 3]), 'b')
  result = metric.details()
  assert [r['AQ'] for r in result['per_sequence'].values()] == [1.0, 0.0]
  assert result['AQ'] == 0.75  # Of four tubes, not of two sequences.
  assert result['SQ'] == pytest.approx((2 / 3 + 3 / 4) / 2)


def test_without_tubes_or_classes_the_figures_are_zero():
  assert score(([ROAD], [ROAD]))['STQ'] == 0.0
  assert score(([VOID], [ROAD]))['SQ'] == 0.0


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_merged_streams_and_other_track_ids_score_the_same(seed):
  rng = np.random.default_rng(seed)
  labels = np.array([ROAD, SKY, CROWD, 21, 22, 23, 24])
  relabelled = np.array([ROAD, SKY, CROWD, 25, 21, 29, 22])
  frames = rng.integers(0, 7, [6, 2, 3, 4])
  whole = make()
  parts = [make() for _ in range(2)]
  for t, (gt, pred) in enumerate(frames):
    update(whole, labels[gt], labels[pred], str(t % 2))
    update(parts[t % 2], labels[gt], relabelled[pred], str(t % 2))
  parts[0].merge(parts[1])
  first, second = whole.details(), parts[0].details()
  assert_figures(second, first, 1e-12)
  assert json.loads(json.dumps(first)) == first


GOOD = SPACE.panoptic_map(np.array([[ROAD, CAR]]))
TALL = GOOD._replace(segment_ids=GOOD.segment_ids.T)


def with_ids(change):
  return GOOD._replace(segment_ids=change(GOOD.segment_ids))


def with_segments(*segments):
  return GOOD._replace(segments=segments)


@pytest.mark.parametrize(
  'gt, pred, sentence',
  [
    (GOOD, TALL, r'frame 7: the ground truth is \[1, 2\] and the .*resize'),
    (TALL, TALL, r'frame 7 is \[2, 1\] and the frames before it \[1, 2\]'),
    (
      GOOD,
      with_ids(lambda ids: ids * 1.0),
      'frame 7, prediction: the segment map is float64',
    ),
    (
      with_ids(lambda ids: ids[0]),
      GOOD,
      r'frame 7, ground truth: the segment map is int64 \[2\]',
    ),
    (
      GOOD,
      with_segments(Segment(1, 1), Segment(22, 5)),
      'frame 7, prediction: segments 22 have unknown category_id 5',
    ),
    (
      with_segments(Segment(1, -1), Segment(22, 3)),
      GOOD,
      'frame 7, ground truth: segments 1 have unknown category_id -1',
    ),
    (
      with_ids(lambda ids: ids[:, :0]),
      with_ids(lambda ids: ids[:, :0]),
      r'frame 7, ground truth: the .* is int64 \[1, 0\]',
    ),
    (
      GOOD,
      with_segments(Segment(1, 1)),
      'frame 7, prediction: segment ids 22 are in the map but not in the list',
    ),
    (
      PanopticMap(np.array([[2**32, 2**32]]), [Segment(2**32, 1)]),
      GOOD,
      'frame 7: segment ids run from 0 to 4294967296, and tubes have ids',
    ),
  ],
)
def test_bad_frames_are_refused_and_not_counted(gt, pred, sentence):
  metric = make()
  metric.update(GOOD, GOOD, 'b')
  before = metric.details()
  with pytest.raises(ValueError, match=f'^sequence b, {sentence}') as raised:
    metric.update(gt, pred, 'b', 7)
  assert '; ' in str(raised.value) and '\n' not in str(raised.value)
  assert metric.details() == before


def test_more_frames_than_allowed_are_refused():
  metric = make(max_frames=2)
  for sequence in 'aabb':
    metric.update(GOOD, GOOD, sequence)
  with pytest.raises(ValueError, match='b, frame 2: .* 2 frames.*split'):
    metric.update(GOOD, GOOD, 'b')
  with pytest.raises(ValueError, match='max_frames is 0; allow'):
    make(max_frames=0)


def test_no_frames_are_refused():
  with pytest.raises(ValueError, match='no frames to score; give'):
    make().details()


@pytest.mark.parametrize('categories', [[], [Category(1, 'road', False)] * 2])
def test_categories_are_checked(categories):
  with pytest.raises(ValueError, match='different ids; give'):
    SegmentationTrackingQuality(categories)


def test_streams_that_do_not_fit_do_not_merge():
  streams = [make() for _ in range(2)]
  for stream in streams:
    stream.update(GOOD, GOOD, 'a')
  with pytest.raises(ValueError, match='sequence a is in both'):
    streams[0].merge(streams[1])
  for other in (make(SPACE._replace(things=())), make(merge_stuff=True)):
    with pytest.raises(ValueError, match='have different (categories|rules)'):
      streams[0].merge(other)


def test_scores_are_in_percent():
  metric = make()
  for pred in ([21, 21], [22, 22]):
    update(metric, np.array([[CAR, CAR]]), np.array([pred]), 'a')
  scores = metric.result()
  assert scores.keys() == {'STQ', 'AQ', 'SQ'}
  assert scores == {key: 100 * metric.details()[key] for key in scores}
  assert scores['AQ'] == 50 and scores['SQ'] == 100
