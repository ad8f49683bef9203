"""VPQ: golden figures, cases worked out on paper, bad input."""

import json

import numpy as np
import pytest
import shared

from metrics.panoptic_quality import Category, PanopticMap, PanopticQuality
from metrics.tubes import LabelSpace
from metrics.vpq import VideoPanopticQuality

SPACE = LabelSpace(num_classes=3, things=(2,), void=9, label_divisor=10)
ROAD, CROWD, CAR, VOID = 0, 20, 21, 90


def score(*frames, **options):
  metric = VideoPanopticQuality(SPACE, **options)
  for gt, pred in frames:
    metric.update(np.array([gt]), np.array([pred]), 'a')
  return metric.result()


def counts(result, k, label_class=2):
  row = result['per_length'][k]['per_category'][label_class]
  return row['tp'], row['fp'], row['fn']


def golden(crowd_is_segment):
  folder = shared.path('golden', 'metrics', 'stq_vpq')
  space = LabelSpace(num_classes=19, things=(11, 13), void=255)
  metric = VideoPanopticQuality(space, crowd_is_segment=crowd_is_segment)
  for path in sorted(folder.glob('*.npz')):
    video = np.load(path)
    for frame in zip(video['gt'], video['pred'], strict=True):
      metric.update(*frame, path.stem)
  expected = json.loads((folder / 'expected_vpq.json').read_text())
  return metric.result(), expected


def assert_classes(result, expected, tolerance):
  rows = {
    str(c): {key: row[key] for key in ('tp', 'fp', 'fn', 'iou_sum')}
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
  metric = VideoPanopticQuality(SPACE, window_lengths=(2,))
  for sequence in 'abab':  # Sequences may take turns.
    metric.update(np.array([[CAR]]), np.array([[CAR]]), sequence)
  assert counts(metric.result(), 2) == (2, 0, 0)


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
  metric = VideoPanopticQuality(SPACE, window_lengths=(1,))
  quality = PanopticQuality([Category(c, str(c), c == 2) for c in range(3)])
  for t in range(20):
    gt = np.sort(rng.integers(0, 6, [4, 9]))
    pred = np.where(rng.random(gt.shape) < 0.2, rng.integers(0, 6, 9), gt)
    metric.update(labels[gt], labels[pred], 'a')
    sides = []
    for ids in (gt, pred):
      segments = [
        {
          'id': int(i),
          'category_id': int(labels[i] // 10),
          'iscrowd': int(ids is gt and labels[i] == CROWD),
        }
        for i in np.unique(ids[ids > 0])
      ]
      sides.append(PanopticMap(ids, segments))
    quality.update(*sides, t)
  ours, images = metric.result()['per_length'][1], quality.result()
  for group in ('All', 'Things', 'Stuff'):
    assert ours[group] == pytest.approx(images[group], abs=1e-12)
    assert 0 < ours[group]['pq'] < 1


def test_merging_streams_equals_one_stream():
  rng = np.random.default_rng(0)
  labels = np.array([VOID, ROAD, 10, CROWD, 21, 22])
  whole = VideoPanopticQuality(SPACE)
  parts = [VideoPanopticQuality(SPACE) for _ in range(2)]
  for t in range(12):
    frame = labels[np.sort(rng.integers(0, 6, [2, 4, 9]))]
    whole.update(*frame, str(t % 2))
    parts[t % 2].update(*frame, str(t % 2))
  parts[0].merge(parts[1])
  result = whole.result()
  assert parts[0].result()['VPQ'] == pytest.approx(result['VPQ'], abs=1e-12)
  json.dumps(result)


def test_bad_input_is_refused_and_not_counted():
  metric = VideoPanopticQuality(SPACE, max_frames=2)
  good = np.array([[ROAD, CAR]])
  with pytest.raises(ValueError, match='no frames to score'):
    metric.result()
  metric.update(good, good, 'a')
  before = metric.result()
  with pytest.raises(ValueError, match='a, frame 1, prediction: class 3 '):
    metric.update(good, good + 30, 'a')
  with pytest.raises(ValueError, match='a, frame 9: the ground truth is'):
    metric.update(good, good.T, 'a', 9)
  assert metric.result() == before
  metric.update(good, good, 'a')
  with pytest.raises(ValueError, match='a sequence may have 2 frames'):
    metric.update(good, good, 'a')


@pytest.mark.parametrize('lengths', [(), (0, 1), (2, 2)])
def test_window_lengths_are_checked(lengths):
  with pytest.raises(ValueError, match='window lengths .* cannot be scored'):
    VideoPanopticQuality(SPACE, lengths)


def test_streams_that_score_differently_do_not_merge():
  metric = VideoPanopticQuality(SPACE)
  for other in (
    VideoPanopticQuality(SPACE, (1, 2)),
    VideoPanopticQuality(SPACE, crowd_is_segment=True),
    VideoPanopticQuality(SPACE._replace(void=8)),
  ):
    with pytest.raises(ValueError, match='different labels, windows or rules'):
      metric.merge(other)
