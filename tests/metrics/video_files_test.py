"""Folders of video masks: figures as in memory, the command, bad folders."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import shared

from metrics import clip_folders, j_and_f, stq, video_files
from panoptic import png
from panoptic.classes import Category
from panoptic.maps import PanopticMap, Segment

FOLDERS = {
  'davis_unsupervised': (
    'davis/Annotations_unsupervised/480p',
    'pred_unsup',
    'unsupervised',
  ),
  'davis_semi_supervised': (
    'davis/Annotations/480p',
    'pred_semi',
    'semi-supervised',
  ),
}


def write_davis(path, ids):
  png.write_ids(path, ids, png.DAVIS)


def write_kitti_step(path, classes, instances):
  ids = png.kitti_step_ids(classes, instances, str(path))
  png.write_ids(path, ids, png.KITTI_STEP)


@pytest.fixture
def davis(tmp_path):
  """Two sequences of four frames in memory and in files."""
  rng = np.random.default_rng(0)
  videos = {}
  for sequence in ('camel', 'bear'):
    gt = np.sort(rng.integers(0, 3, [4, 9, 16]), axis=2)
    gt[0, 0, 0] = 2
    pred = np.where(rng.random(gt.shape) < 0.2, 0, gt)
    videos[sequence] = gt, pred
    for side, video in (('gt', gt), ('pred', pred)):
      for t, ids in enumerate(video):
        write_davis(tmp_path / side / sequence / f'{t:05d}.png', ids)
  return tmp_path / 'gt', tmp_path / 'pred', videos


@pytest.mark.parametrize('workers', [1, 2])
@pytest.mark.parametrize('form', FOLDERS)
def test_davis_files_score_as_in_memory(davis, form, workers):
  gt, pred, videos = davis
  metric = j_and_f.JAndF(FOLDERS[form][-1])
  for sequence in sorted(videos):
    for frame in zip(*videos[sequence], strict=True):
      metric.update(*(PanopticMap(ids, ()) for ids in frame), sequence)
  result = video_files.score(form, gt, pred, workers=workers)
  assert result == {'J&F': metric.details()}
  assert 0 < result['J&F']['global']['J&F-Mean'] < 1


def assert_same_figures(result, expected):
  assert result['per_sequence'].keys() == expected['per_sequence'].keys()
  for name, row in expected['per_sequence'].items():
    assert result['per_sequence'][name] == pytest.approx(row, abs=1e-12)
  for name in ('STQ', 'AQ', 'SQ'):
    assert result[name] == pytest.approx(expected[name], abs=1e-12)


def test_kitti_step_files_score_as_in_memory(tmp_path):
  rng = np.random.default_rng(0)
  metric = stq.SegmentationTrackingQuality(
    [Category(c + 1, str(c), c in (11, 13)) for c in range(19)]
  )
  classes = np.array([255, 0, 13, 13, 13, 11])
  instances = np.array([0, 0, 0, 1, 300, 65535])
  # In memory by other ids, which mean the same.
  segments = [
    *(Segment(1, 1), Segment(2, 14, 1), Segment(3, 14), Segment(4, 14)),
    Segment(5, 12),
  ]
  for sequence in ('0000', '0001'):
    for t in range(3):
      gt = np.sort(rng.integers(0, 6, [8, 12]))
      pred = np.where(rng.random(gt.shape) < 0.2, rng.integers(0, 6, 12), gt)
      for side, which in (('gt', gt), ('pred', pred)):
        write_kitti_step(
          tmp_path / side / sequence / f'{t:06d}.png',
          classes[which],
          instances[which],
        )
      frame = (
        PanopticMap(which, [s for s in segments if s.id in which])
        for which in (gt, pred)
      )
      metric.update(*frame, sequence)
  result = video_files.score('kitti_step', tmp_path / 'gt', tmp_path / 'pred')
  assert_same_figures(result['STQ'], metric.details())
  assert 0 < result['STQ']['STQ'] < 1
  assert result.keys() == {'STQ', 'VPQ', 'VPQ, crowd as segment'}
  table = video_files.format_tables(result)
  assert [line.split()[0] for line in table.splitlines()[1:4]] == [
    '0000',
    '0001',
    'all',
  ]


@pytest.mark.parametrize('form', FOLDERS)
def test_golden_folders(form):
  folder = shared.path('golden', 'metrics', 'jf')
  gt, pred, task = FOLDERS[form]
  names = folder / 'davis' / 'ImageSets' / '2017' / 'val.txt'
  result = video_files.score(
    form, folder / gt, folder / pred, clip_folders.read_sequences(names)
  )
  case = json.loads((folder / 'expected.json').read_text())[task]
  figures = {k: result['J&F']['global'][k] for k in case['global']}
  assert figures == pytest.approx(case['global'], abs=1e-9)


def test_golden_labels_written_as_kitti_step(tmp_path):
  folder = shared.path('golden', 'metrics', 'stq_vpq')
  for path in folder.glob('*.npz'):
    video = np.load(path)
    for side in ('gt', 'pred'):
      for t, labels in enumerate(video[side]):
        name = tmp_path / side / path.stem / f'{t:06d}.png'
        write_kitti_step(name, *np.divmod(labels, 1000))
  result = video_files.score('kitti_step', tmp_path / 'gt', tmp_path / 'pred')
  case = json.loads((folder / 'expected_stq.json').read_text())
  for key in ('STQ', 'AQ', 'SQ'):
    expected = case['all_sequences_float64'][key]
    assert result['STQ'][key] == pytest.approx(expected, abs=1e-9)
  case = json.loads((folder / 'expected_vpq.json').read_text())
  assert result['VPQ']['VPQ'] == pytest.approx(
    case['panopticapi_tubes_mean_pq'], abs=1e-9
  )
  assert result['VPQ, crowd as segment']['VPQ']['All'] == pytest.approx(
    case['deeplab2_mean_pq'], abs=1e-5
  )


def command(*flags):
  root = video_files.__file__.rsplit('metrics', 1)[0]
  return subprocess.run(
    [sys.executable, '-m', 'metrics.video_files', *flags],
    capture_output=True,
    text=True,
    cwd=root,
  )


def test_command_prints_the_golden_table():
  folder = shared.path('golden', 'metrics', 'jf')
  gt, pred, _ = FOLDERS['davis_unsupervised']
  done = command(
    '--format=davis_unsupervised',
    f'--gt_folder={folder / gt}',
    f'--pred_folder={folder / pred}',
    f'--sequences={folder / "davis/ImageSets/2017/val.txt"}',
  )
  assert done.returncode == 0, done.stderr
  rows = [line.split() for line in done.stdout.splitlines()]
  assert rows[0][:2] == ['J&F-Mean', 'J-Mean']
  assert rows[-1] == [
    *('all', '54.24', '53.71', '58.58', '2.72', '54.77', '63.36', '8.38')
  ]
  assert [row[0] for row in rows[1:-1]] == ['xray', 'yankee', 'zulu', 'whiskey']


def test_command_ends_with_one_sentence(tmp_path):
  done = command(
    '--format=kitti_step', f'--gt_folder={tmp_path}', '--pred_folder=absent'
  )
  assert done.returncode == 1
  assert done.stdout == ''
  assert done.stderr.startswith('error: absent is missing; give')
  assert done.stderr.count('\n') == 1


def test_surplus_sequences_and_frames_are_left_out(davis):
  gt, pred, videos = davis
  before = video_files.score('davis_unsupervised', gt, pred)
  write_davis(pred / 'camel' / '00009.png', videos['camel'][1][0])
  write_davis(pred / 'zebra' / '00000.png', videos['camel'][1][0])
  assert video_files.score('davis_unsupervised', gt, pred) == before
  bear = video_files.score('davis_unsupervised', gt, pred, ['bear'])
  assert bear['J&F']['per_sequence'].keys() == {'bear'}


def test_semi_supervised_needs_no_prediction_at_the_ends(davis):
  gt, pred, _ = davis
  before = video_files.score('davis_semi_supervised', gt, pred)
  for t in (0, 3):
    (pred / 'bear' / f'0000{t}.png').unlink()
  assert video_files.score('davis_semi_supervised', gt, pred) == before
  with pytest.raises(FileNotFoundError, match='00000.png is missing'):
    video_files.score('davis_unsupervised', gt, pred)


def _rename(folders, name_of):
  for folder in folders:
    for path in sorted(folder.glob('*/*.png')):
      path.rename(path.with_name(name_of(int(path.stem))))


@pytest.mark.parametrize(
  'name_of', [lambda t: f'{t + 8}.png', lambda t: f'frame{2 * t + 7}_left.png']
)
def test_frames_are_ordered_by_number(davis, name_of, capsys):
  gt, pred, _ = davis
  before = [video_files.score(form, gt, pred) for form in FOLDERS]
  _rename((gt, pred), name_of)
  assert [video_files.score(form, gt, pred) for form in FOLDERS] == before
  assert not capsys.readouterr().err


def test_sequences_are_ordered_by_number(davis):
  gt, pred, _ = davis
  for folder in (gt, pred):
    (folder / 'camel').rename(folder / '9')
    (folder / 'bear').rename(folder / '10')
  result = video_files.score('davis_unsupervised', gt, pred)
  assert list(result['J&F']['per_sequence']) == ['9', '10']


def test_gaps_are_told_and_equal_numbers_refused(davis, capsys):
  gt, pred, videos = davis
  for folder in (gt, pred):
    (folder / 'bear/00002.png').unlink()
  video_files.score('davis_unsupervised', gt, pred)
  told = capsys.readouterr().err
  assert told.count('\n') == 1
  assert 'sequences that lack frames: 1 of 2, the first being' in told
  assert 'bear between 00001 and 00003' in told
  write_davis(gt / 'camel/3.png', videos['camel'][0][0])
  with pytest.raises(ValueError, match='camel, .*3 and .*3, have one number'):
    video_files.score('davis_unsupervised', gt, pred)


def lose_frames(gt, pred):
  for t in (1, 2):
    (pred / 'camel' / f'0000{t}.png').unlink()


def shrink_prediction(gt, pred):
  write_davis(pred / 'camel' / '00002.png', np.zeros([3, 4], int))


def shrink_both(gt, pred):
  for folder in (gt, pred):
    write_davis(folder / 'camel' / '00002.png', np.zeros([3, 4], int))


def empty_clip(gt, pred):
  for path in (gt / 'bear').iterdir():
    path.unlink()


def no_clips(gt, pred):
  for path in gt.iterdir():
    shutil.rmtree(path)


def rgb_file(gt, pred):
  zeros = np.zeros([9, 16], int)
  write_kitti_step(pred / 'camel' / '00003.png', zeros, zeros)


@pytest.mark.parametrize(
  'break_it, error, sentence',
  [
    (
      lose_frames,
      FileNotFoundError,
      'camel/00001.png is missing, the first of 2 such frames of sequence '
      'camel; predict',
    ),
    (
      shrink_prediction,
      ValueError,
      r'pred/camel/00002.png is \[3, 4\] and .*gt/camel/00000.png \[9, 16\]',
    ),
    (shrink_both, ValueError, r'gt/camel/00002.png is \[3, 4\] and .*resize'),
    (empty_clip, ValueError, 'gt/bear has no PNGs; give every'),
    (no_clips, ValueError, 'gt has no sequences; give the folder'),
    (rgb_file, ValueError, 'camel/00003.png is a PNG of 8 bits and colour'),
    (
      lambda gt, pred: shutil.rmtree(pred / 'bear'),
      FileNotFoundError,
      'pred/bear is missing; every sequence needs its folder',
    ),
    (
      lambda gt, pred: shutil.rmtree(pred),
      FileNotFoundError,
      'pred is missing; give a folder of sequences',
    ),
  ],
)
def test_bad_folders_are_refused_before_any_decoding(
  davis, monkeypatch, break_it, error, sentence
):
  gt, pred, _ = davis
  break_it(gt, pred)

  def decode(path, encoding):
    raise AssertionError(f'{path} was decoded before all was checked')

  monkeypatch.setattr(png, 'read_ids', decode)
  with pytest.raises(error, match=sentence) as raised:
    video_files.score('davis_unsupervised', gt, pred)
  assert '\n' not in str(raised.value) and '; ' in str(raised.value)


def test_more_frames_than_allowed_are_refused(davis):
  gt, pred, _ = davis
  video_files.score('davis_unsupervised', gt, pred, max_frames=4)
  with pytest.raises(ValueError, match='bear has 4 frames, and 3 are allowed;'):
    video_files.score('davis_unsupervised', gt, pred, max_frames=3)


def test_errors_inside_a_file_name_sequence_and_frame(davis):
  gt, pred, videos = davis
  write_davis(pred / 'camel' / '00002.png', videos['camel'][1][2] + 30)
  with pytest.raises(ValueError, match='camel, frame 00002, prediction: id 32'):
    video_files.score('davis_unsupervised', gt, pred)


@pytest.mark.parametrize('text', ['', 'camel\nbear\ncamel\n'])
def test_lists_of_sequences_are_checked(tmp_path, text):
  path = tmp_path / 'val.txt'
  with pytest.raises(FileNotFoundError, match='val.txt is missing; give'):
    clip_folders.read_sequences(path)
  path.write_text(text)
  with pytest.raises(ValueError, match='val.txt lists . sequences'):
    clip_folders.read_sequences(path)


@pytest.mark.parametrize('form, workers', [('mp4', 1), ('kitti_step', 0)])
def test_formats_and_workers_are_checked(form, workers):
  with pytest.raises(ValueError, match='cannot be scored; give one of davis'):
    video_files.score(form, 'a', 'b', workers=workers)


def test_a_class_that_is_none_is_refused_by_its_file(tmp_path):
  for side, kind in (('gt', 18), ('pred', 19)):
    kinds = np.full([4, 4], kind)
    path = tmp_path / side / '0000' / '000000.png'
    write_kitti_step(path, kinds, np.zeros_like(kinds))
  with pytest.raises(ValueError, match='pred/0000/000000.png: the class 19 in'):
    video_files.score('kitti_step', tmp_path / 'gt', tmp_path / 'pred')


def test_instances_of_void_are_void(tmp_path):
  kinds = np.array([[0, 255, 13, 255]])
  for side, instances in (('gt', [0, 0, 5, 7]), ('pred', [0, 3, 5, 9])):
    path = tmp_path / side / '0000' / '000000.png'
    write_kitti_step(path, kinds, np.array([instances]))
  result = video_files.score('kitti_step', tmp_path / 'gt', tmp_path / 'pred')
  assert result['STQ']['STQ'] == 1.0
  first = result['VPQ']['per_length'][1]
  assert first['All'] == {'pq': 1, 'sq': 1, 'rq': 1, 'n': 2}
