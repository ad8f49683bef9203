"""VPQ: golden figures, cases worked out on paper, bad input."""

import json

import numpy as np
import pytest
import shared
from label_maps import LabelSpace

from metrics.panoptic_quality import PanopticQuality
from metrics.vpq import VideoPanopticQuality

SPACE = LabelSpace(num_classes=3, things=(2,), void=9, label_divisor=10)
ROAD, CROWD, CAR, VOID = 0, 20, 21, 90


def make(space=SPACE, **options):
  return VideoPanopticQuality(space.categories, **options)


def update(metric, gt, pred, sequence, space=SPACE):
  metric.update(space.panoptic_map(gt), space.panoptic_map(pred), sequence)


def score(*frames, **options):
  metric = make(**options)
  for gt, pred in frames:
    update(metric, np.array([gt]), np.array([pred]), 'a')
  return metric.details()


def counts(result, k, label_class=2):
  row = result['per_length'][k]['per_category'][label_class + 1]
  return row['tp'], row['fp'], row['fn']


def golden(crowd_is_segment):
  folder = shared.path('golden', 'metrics', 'stq_vpq')
  space = LabelSpace(num_classes=19, things=(11, 13), void=255)
  metric = make(space, crowd_is_segment=crowd_is_segment)
  for path in sorted(folder.glob('*.npz')):
    video = np.load(path)
    for frame in zip(video['gt'], video['pred'], strict=True):
      update(metric, *frame, path.stem, space)
  expected = json.loads((folder / 'expected_vpq.json').read_text())
  return metric.details(), expected


def assert_classes(result, expected, tolerance):
  rows = {
    str(c - 1): {key: row[key] for key in ('tp', 'fp', 'fn', 'iou_sum')}
    for c, row in result['per_category'].items()
    if row['tp'] + row['fp'] + row['fn']
  }
  assert rows.keys() == expected.keys()
  for c, row in expected.items():
    assert rows[c] == pytest.approx(row, abs=tolerance), c
    assert [rows[c][k] for k in ('tp', 'fp', 'fn')] == [
      row[k] for k in ('tp', 'fp', 'fn')
    ]


def test_golden_by_the_rules_of_coco():
  result, expected = golden(crowd_is_segment=False)
  for k in expected['k']:
    row, case = result['per_length'][k], expected['panopticapi_tubes'][str(k)]
    for group in ('All', 'Things', 'Stuff'):
      assert row[group] == pytest.approx(case[group], abs=1e-9), (k, group)
    assert_classes(row, case['per_class'], 1e-9)
  means = expected['panopticapi_tubes_mean_pq']
  assert result['VPQ'] == pytest.approx(means, abs=1e-9)


def test_golden_with_crowd_as_a_segment():
  result, expected = golden(crowd_is_segment=True)
  for k in expected['k']:
    row, case = result['per_length'][k], expected['deeplab2'][str(k)]
    figures = {key: case[key] for key in ('pq', 'sq', 'rq', 'n')}
    assert row['All'] == pytest.approx(figures, abs=1e-5), k
    # A sum of some twenty IoUs, in float32.
    assert_classes(row, case['per_class'], 1e-5)
  mean = expected['deeplab2_mean_pq']
  assert result['VPQ']['All'] == pytest.approx(mean, abs=1e-5)


def test_a_lost_track_on_paper():
  # Frame by frame two exact matches. As one window: the car has 6 pixels, its
  # first predicted tube 4 of them (IoU 2/3), the second one 2 (a FP).
  result = score(
    ([CAR] * 4, [21] * 4), ([CAR] * 2 + [ROAD] * 2, [22] * 2 + [ROAD] * 2)
  )
  assert counts(result, 1) == (2, 0, 0)
  assert counts(result, 2) == (1, 1, 0)
  things = result['per_length'][2]['Things']
  assert things == pytest.approx(
    {'pq': 2 / 3 / 1.5, 'sq': 2 / 3, 'rq': 1 / 1.5, 'n': 1}
  )
  assert counts(result, 3) == (0, 0, 0)


def test_windows_overlap_and_are_as_many_as_fit():
  result = score(*[([CAR], [CAR])] * 5)
  assert [counts(result, k)[0] for k in (1, 2, 3, 4)] == [5, 4, 3, 2]
  assert result['VPQ']['Things'] == 1.0


def test_no_window_spans_two_sequences():
  metric = make(window_lengths=(2,))
  for sequence in 'abab':  # Sequences may take turns.
    update(metric, np.array([[CAR]]), np.array([[CAR]]), sequence)
  assert counts(metric.details(), 2) == (2, 0, 0)


@pytest.mark.parametrize('as_segment, fn, fp', [(False, 0, 0), (True, 1, 1)])
def test_crowd_excuses_or_counts(as_segment, fn, fp):
  result = score(
    ([CROWD] * 3 + [ROAD], [21, 21, 22, ROAD]), crowd_is_segment=as_segment
  )
  # As a segment, its larger prediction matches: IoU 2/3.
  assert counts(result, 1) == (as_segment, fp, fn - as_segment)


def test_void_leaves_unions_and_excuses():
  result = score(([CAR, VOID, VOID], [CAR, CAR, CAR]))
  assert result['per_length'][1]['Things']['pq'] == 1.0
  assert counts(score(([VOID, VOID], [CAR, ROAD])), 1) == (0, 0, 0)
  assert counts(score(([CAR], [VOID])), 1) == (0, 0, 1)


def test_instances_of_void_have_no_meaning():
  result = score(([CAR, 95, 96], [CAR, CAR, 97]))
  assert result == score(([CAR, VOID, VOID], [CAR, CAR, VOID]))
  assert result['per_length'][1]['Things']['pq'] == 1.0


def test_single_frames_score_as_images():
  rng = np.random.default_rng(0)
  labels = np.array([VOID, ROAD, 10, CROWD, 21, 22])
  metric = make(window_lengths=(1,))
  quality = PanopticQuality(SPACE.categories)
  for t in range(20):
    gt = np.sort(rng.integers(0, 6, [4, 9]))
    pred = np.where(rng.random(gt.shape) < 0.2, rng.integers(0, 6, 9), gt)
    frame = [SPACE.panoptic_map(labels[ids]) for ids in (gt, pred)]
    metric.update(*frame, 'a')
    quality.update(*frame, name=t)
  ours, images = metric.details()['per_length'][1], quality.details()
  for group in ('All', 'Things', 'Stuff'):
    assert ours[group] == pytest.approx(images[group], abs=1e-12)
    assert 0 < ours[group]['pq'] < 1


def test_merging_streams_equals_one_stream():
  rng = np.random.default_rng(0)
  labels = np.array([VOID, ROAD, 10, CROWD, 21, 22])
  whole = make()
  parts = [make() for _ in range(2)]
  for t in range(12):
    frame = labels[np.sort(rng.integers(0, 6, [2, 4, 9]))]
    update(whole, *frame, str(t % 2))
    update(parts[t % 2], *frame, str(t % 2))
  parts[0].merge(parts[1])
  result = whole.details()
  assert parts[0].details()['VPQ'] == pytest.approx(result['VPQ'], abs=1e-12)
  json.dumps(result)


def test_bad_input_is_refused_and_not_counted():
  metric = make(max_frames=2)
  good = SPACE.panoptic_map(np.array([[ROAD, CAR]]))
  unknown = SPACE.panoptic_map(np.array([[ROAD, CAR]]) + 30)
  with pytest.raises(ValueError, match='no frames to score'):
    metric.details()
  metric.update(good, good, 'a')
  before = metric.details()
  with pytest.raises(ValueError, match='a, frame 1, prediction: .*category_id'):
    metric.update(good, unknown, 'a')
  with pytest.raises(ValueError, match='a, frame 9: the ground truth is'):
    metric.update(good, good._replace(segment_ids=good.segment_ids.T), 'a', 9)
  assert metric.details() == before
  metric.update(good, good, 'a')
  with pytest.raises(ValueError, match='a sequence may have 2 frames'):
    metric.update(good, good, 'a')


@pytest.mark.parametrize('lengths', [(), (0, 1), (2, 2)])
def test_window_lengths_are_checked(lengths):
  with pytest.raises(ValueError, match='window lengths .* cannot be scored'):
    make(window_lengths=lengths)


def test_streams_that_score_differently_do_not_merge():
  metric = make()
  for other, setting in (
    (make(window_lengths=(1, 2)), 'windows'),
    (make(crowd_is_segment=True), 'rules for crowd'),
    (make(merge_stuff=True), 'rules for stuff'),
    (make(SPACE._replace(things=())), 'categories'),
  ):
    with pytest.raises(ValueError, match=f'VPQ have different {setting}; '):
      metric.merge(other)


def test_stuff_of_several_ids_is_one_segment_where_stuff_is_merged():
  # Road of two ids in the prediction, 0 and 1, against one in the truth.
  frame = [ROAD] * 4, [ROAD, ROAD, 1, 1]
  assert counts(score(frame), 1, 0) == (0, 2, 1)
  merged = score(frame, merge_stuff=True)
  assert counts(merged, 1, 0) == (1, 0, 0)
  assert merged['per_length'][1]['Stuff']['pq'] == 1.0
  # Things keep their ids.
  cars = [CAR] * 4, [21, 21, 22, 22]
  assert score(cars, merge_stuff=True) == score(cars)


def test_scores_are_in_percent():
  metric = make()
  for pred in ([21, 21], [22, 22]):
    update(metric, np.array([[CAR, CAR]]), np.array([pred]), 'a')
  scores, details = metric.result(), metric.details()
  assert list(scores) == [
    *('VPQ', 'VPQ_things', 'VPQ_stuff', 'VPQ_1', 'VPQ_2', 'VPQ_3', 'VPQ_4')
  ]
  assert scores['VPQ_things'] == 100 * details['VPQ']['Things'] > 0
  assert scores['VPQ_1'] == 100 and scores['VPQ_2'] < 100
