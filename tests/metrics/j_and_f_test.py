"""J&F of sequences: golden figures, the rules by hand, bad input."""

import json

import numpy as np
import pytest
import shared

from metrics import j_and_f
from metrics.j_and_f import JAndF
from panoptic import png
from panoptic.maps import PanopticMap

FOLDERS = {
  'unsupervised': ('davis/Annotations_unsupervised/480p', 'pred_unsup'),
  'semi-supervised': ('davis/Annotations/480p', 'pred_semi'),
}


def ids_of(text):
  return np.array([[int(digit) for digit in text]], np.uint8)


def objects_of(ids, void=None):
  """The map of ids; objects need no list of segments."""
  return PanopticMap(ids, (), void)


def map_of(text):
  return objects_of(ids_of(text))


def score(task, *frames, **options):
  metric = JAndF(task, **options)
  for gt, pred in frames:
    metric.update(map_of(gt), map_of(pred), 'a')
  return metric.details()


def read(path):
  ids = png.read_ids(path, png.DAVIS)
  void = ids == 255
  return objects_of(np.where(void, 0, ids), void)


@pytest.mark.parametrize('task', FOLDERS)
def test_golden(task):
  folder = shared.path('golden', 'metrics', 'jf')
  expected = json.loads((folder / 'expected.json').read_text())
  metric = JAndF(task)
  for sequence, info in expected['sequences'].items():
    for t in range(info['frames']):
      maps = (
        read(folder / side / sequence / f'{t:05d}.png')
        for side in FOLDERS[task]
      )
      metric.update(*maps, sequence)
  result, case = metric.details(), expected[task]
  assert result['global'].pop('objects') == case['objects']
  assert result['global'] == pytest.approx(case['global'], abs=1e-9)
  for group in ('per_sequence', 'per_object'):
    assert result[group].keys() == case[group].keys()
    for name, row in case[group].items():
      assert result[group][name] == pytest.approx(row, abs=1e-9), name


def test_proposals_are_assigned_for_the_whole_sequence():
  result = score('unsupervised', ('1122', '4433'), ('1122', '3344'))
  # Frame by frame a perfect assignment exists, but ids may not change.
  assert result['global']['J-Mean'] == 0.5
  result = score('unsupervised', ('1122', '4433'), ('1122', '4433'))
  assert result['global']['J&F-Mean'] == 1.0
  # Named in the order of the proposals.
  assert result['assignment'] == {'a_1': (2, 3), 'a_2': (1, 4)}


def test_a_proposal_that_is_empty_fits_an_unseen_object():
  # Object 1 never appears, object 2 does. Of the ids up to 2, 1 is empty.
  assert score('unsupervised', ('0022', '0022'))['global']['J-Mean'] == 1.0
  # As many empty proposals as there are objects take part, never more.
  assert score('unsupervised', ('0022', '0011'))['global']['J-Mean'] == 1.0
  lost, empty = ('1000', '0001'), ('0000', '0001')
  assert score('unsupervised', lost, empty)['global']['J-Mean'] == 0.0
  # Nor more than there are ids: here id 1 is one that is never used.
  lost, empty = ('1000', '0002'), ('0000', '0002')
  assert score('unsupervised', lost, empty)['global']['J-Mean'] == 0.5


def test_the_first_frame_tells_the_number_of_objects():
  result = score('unsupervised', ('1100', '1100'), ('1122', '1122'))
  assert result['global']['objects'] == 1
  assert result['global']['J-Mean'] == 1.0


def test_void_is_removed_or_background():
  ids = objects_of(ids_of('1100'), np.array([[False, False, True, True]]))
  pred = map_of('1111')
  for task, j in (('unsupervised', 1.0), ('semi-supervised', 0.5)):
    metric = JAndF(task)
    for _ in range(3):
      metric.update(ids, pred, 'a')
    assert metric.details()['global']['J-Mean'] == j


def test_semi_supervised_leaves_out_both_ends():
  frames = [('12', '21'), ('12', '12'), ('12', '12'), ('12', '21')]
  result = score('semi-supervised', *frames)
  assert result['global']['J&F-Mean'] == 1.0
  assert result['assignment'] == {'a_1': (1, 1), 'a_2': (2, 2)}
  # Ids too high do not count there either, and predictions may be absent.
  metric = JAndF('semi-supervised')
  for pred in (None, map_of('12'), map_of('12'), map_of('37')):
    metric.update(map_of('12'), pred, 'a')
  assert metric.details()['global']['J&F-Mean'] == 1.0
  metric = JAndF('semi-supervised')
  for pred in (None, map_of('12'), None):
    metric.update(map_of('12'), pred, 'a')
  assert metric.details()['global']['J&F-Mean'] == 1.0


@pytest.mark.parametrize(
  'frames, first, last', [(1, 1, 1), (3, 2, 1), (8, 3, 3), (400, 101, 101)]
)
def test_recall_and_decay_on_paper(frames, first, last):
  values = np.linspace(1, 0, frames)
  row = j_and_f._statistics('J', values)
  assert row['J-Mean'] == pytest.approx(values.mean())
  assert row['J-Recall'] == (values > 0.5).mean()
  decay = values[:first].mean() - values[-last:].mean()
  assert row['J-Decay'] == pytest.approx(decay, abs=1e-12)
  assert j_and_f._statistics('J', np.full(4, 0.5))['J-Recall'] == 0.0


def test_means_are_over_objects_not_over_sequences():
  metric = JAndF('unsupervised')
  metric.update(map_of('123'), map_of('123'), 'a')
  metric.update(map_of('10'), map_of('01'), 'b')
  result = metric.details()
  assert result['global']['J-Mean'] == 0.75
  assert [r['J-Mean'] for r in result['per_sequence'].values()] == [1.0, 0.0]
  assert result['per_object'].keys() == {'a_1', 'a_2', 'a_3', 'b_1'}


@pytest.mark.parametrize('task', FOLDERS)
def test_merging_streams_equals_one_stream(task):
  rng = np.random.default_rng(0)
  whole, parts = JAndF(task), [JAndF(task), JAndF(task)]
  for t in range(10):
    gt, pred = rng.integers(0, 4, [2, 6, 9])
    gt[0, 0] = 3
    gt, pred = objects_of(gt), objects_of(pred)
    whole.update(gt, pred, str(t % 2))
    parts[t % 2].update(gt, pred, str(t % 2))
  parts[0].merge(parts[1])
  assert parts[0].details() == whole.details()
  with pytest.raises(ValueError, match='sequence 1 is in both'):
    parts[0].merge(parts[1])


GOOD = map_of('12')
IDS = GOOD.segment_ids
TALL = objects_of(IDS.T)


@pytest.mark.parametrize(
  'gt, pred, sentence',
  [
    (
      GOOD,
      objects_of(IDS + 19),
      'frame 1, prediction: id 21 is higher than the 20',
    ),
    (
      GOOD,
      objects_of(IDS * 0 + 255),
      'frame 1, prediction: id 255 is higher than the',
    ),
    (
      GOOD,
      objects_of(IDS, IDS == 1),
      'frame 1, prediction: id 255 is higher than the',
    ),
    (
      GOOD,
      objects_of(IDS.astype(int) + 255),
      'frame 1, prediction: ids run from 256 to',
    ),
    (
      objects_of(IDS.astype(int) - 2),
      GOOD,
      'frame 1, ground truth: ids run from -1 to 0',
    ),
    (GOOD, None, 'frame 1 has no prediction; predict every frame'),
    (GOOD, TALL, r'frame 1: the ground truth is \[1, 2\] and the prediction'),
    (TALL, TALL, r'frame 1 is \[2, 1\] and the frames before it \[1, 2\]'),
    (
      GOOD,
      objects_of(IDS * 1.0),
      'frame 1, prediction: the segment map is float64',
    ),
  ],
)
def test_bad_frames_are_refused_and_not_counted(gt, pred, sentence):
  metric = JAndF('unsupervised')
  metric.update(GOOD, GOOD, 'a')
  before = metric.details()
  with pytest.raises(ValueError, match=f'^sequence a, {sentence}') as raised:
    metric.update(gt, pred, 'a')
  assert '; ' in str(raised.value) and '\n' not in str(raised.value)
  assert metric.details() == before


@pytest.mark.parametrize(
  'pred, sentence',
  [
    (None, 'a, frame 1 has no prediction'),
    (map_of('13'), 'a, frame 1, prediction: id 3 is higher than the 2 objects'),
  ],
)
def test_semi_supervised_errors_come_when_the_frame_is_not_the_last(
  pred, sentence
):
  metric = JAndF('semi-supervised')
  for prediction in (None, pred):
    metric.update(GOOD, prediction, 'a')
  with pytest.raises(ValueError, match=sentence):
    metric.update(GOOD, GOOD, 'a')


@pytest.mark.parametrize('frames', [1, 2])
def test_short_semi_supervised_sequences_are_refused(frames):
  metric = JAndF('semi-supervised')
  for _ in range(frames):
    metric.update(GOOD, GOOD, 'a')
  with pytest.raises(ValueError, match=f'a has {frames} frames.*at least 3'):
    metric.details()


def test_empty_input_is_refused():
  metric = JAndF('unsupervised')
  with pytest.raises(ValueError, match='no frames to score; give'):
    metric.details()
  metric.update(objects_of(IDS * 0), GOOD, 'a')
  with pytest.raises(
    ValueError, match='sequence a .* no object in their first'
  ):
    metric.details()


def test_more_frames_than_allowed_are_refused():
  metric = JAndF('unsupervised', max_frames=1)
  metric.update(GOOD, GOOD, 'a')
  with pytest.raises(ValueError, match='a sequence may have 1 frames'):
    metric.update(GOOD, GOOD, 'a')


@pytest.mark.parametrize(
  'task, proposals', [('both', 20), ('unsupervised', 0), ('unsupervised', 255)]
)
def test_tasks_are_checked(task, proposals):
  with pytest.raises(ValueError, match='cannot be scored; give one of'):
    JAndF(task, proposals)


def test_streams_of_other_tasks_do_not_merge():
  for other in (JAndF('semi-supervised'), JAndF('unsupervised', 9)):
    with pytest.raises(
      ValueError, match='different (tasks|numbers of proposals);'
    ):
      JAndF('unsupervised').merge(other)


def test_scores_are_in_percent():
  metric = JAndF('unsupervised')
  metric.update(map_of('1122'), map_of('4433'), 'a')
  metric.update(map_of('1122'), map_of('3344'), 'a')
  scores, details = metric.result(), metric.details()['global']
  assert list(scores) == [
    *('J_and_F', 'J_Mean', 'J_Recall', 'J_Decay'),
    *('F_Mean', 'F_Recall', 'F_Decay', 'objects'),
  ]
  assert scores['J_Mean'] == 50 and scores['objects'] == 2
  assert scores['J_and_F'] == 100 * details['J&F-Mean']
