"""Scoring of panoptic files: golden figures, the command, bad input."""

import json
import struct
import subprocess
import sys

import numpy as np
import pytest
import shared
from PIL import Image

from metrics import panoptic_files
from metrics.panoptic_quality import PanopticQuality
from panoptic import png
from panoptic.classes import Category
from panoptic.maps import PanopticMap, Segment
from panoptic.result_files import CocoResults

CATEGORIES = [Category(1, 'person', True), Category(90, 'sky', False)]


def make_image(rng):
  """Two maps and lists that share most pixels; ids use all three bytes."""
  ids = rng.choice(2**24 - 1, 4, replace=False) + 1
  ground_truth = ids[np.sort(rng.integers(0, 4, [6, 8]))]
  prediction = np.where(rng.random([6, 8]) < 0.2, 0, ground_truth)
  pair = []
  for segment_ids in (ground_truth, prediction):
    segments = [
      Segment(int(i), CATEGORIES[k % 2].id, int(k == 3))
      for k, i in enumerate(ids)
      if (segment_ids == i).any()
    ]
    pair.append(PanopticMap(segment_ids, segments))
  return pair


@pytest.fixture
def files(tmp_path):
  """A small set of valid files; returns the four arguments of `score`."""
  rng = np.random.default_rng(0)
  pairs = [make_image(rng) for _ in range(70)]  # More than one task.
  paths = []
  for side, name in enumerate(('gt', 'pred')):
    folder, json_path = tmp_path / name, tmp_path / f'{name}.json'
    with CocoResults(folder, json_path, CATEGORIES) as writer:
      for i, pair in enumerate(pairs):
        writer.add(i, f'{i}.png', pair[side])
    paths += [json_path, folder]
  return paths, pairs


def edit(path, change):
  content = json.loads(path.read_text())
  change(content)
  path.write_text(json.dumps(content))


@pytest.mark.parametrize('workers', [1, 3])
def test_files_score_as_in_memory(files, workers):
  paths, pairs = files
  quality = PanopticQuality(CATEGORIES)
  for pair in pairs:
    quality.update(*pair)
  result, expected = panoptic_files.score(*paths, workers), quality.details()
  for group in ('All', 'Things', 'Stuff'):
    assert result[group] == pytest.approx(expected[group], abs=1e-12)
  assert 0 < expected['All']['pq'] < 1


def test_the_number_of_workers_changes_nothing(files):
  paths, _ = files
  assert panoptic_files.score(*paths, 1) == panoptic_files.score(*paths, 3)


def test_surplus_predictions_are_left_out(files):
  paths, _ = files
  before = panoptic_files.score(*paths)

  def add(content):
    surplus = {'image_id': 999, 'file_name': 'no.png', 'segments_info': []}
    content['annotations'].append(surplus)

  edit(paths[2], add)
  assert panoptic_files.score(*paths) == before


@pytest.mark.parametrize(
  ('change', 'difference'),
  [
    (lambda c: c['categories'].reverse(), ''),
    (lambda c: c['categories'].pop(), ''),
    (lambda c: c.pop('categories'), ''),
    (lambda c: [entry.pop('isthing') for entry in c['categories']], ''),
    (lambda c: c.update(categories=[None, {'id': []}]), ''),
    (
      lambda c: c['categories'][0].update(name='sky'),
      "category 1 has the name 'sky' in .*pred.json, but 'person' in .*gt.json",
    ),
    (
      lambda c: c['categories'][1].update(isthing=1),
      'category 90 has the isthing 1 in .*pred.json, but 0 in .*gt.json',
    ),
  ],
)
def test_results_have_the_categories_of_the_ground_truth(
  files, change, difference
):
  paths, _ = files
  before = panoptic_files.score(*paths)
  edit(paths[2], change)
  if not difference:
    assert panoptic_files.score(*paths) == before
    return
  with pytest.raises(ValueError, match=difference):
    panoptic_files.score(*paths)


def golden_command(*flags):
  folder = shared.path('golden', 'metrics', 'pq')
  command = [
    sys.executable,
    '-m',
    'metrics.panoptic_files',
    f'--gt_json={folder / "gt.json"}',
    f'--gt_folder={folder / "gt"}',
    f'--pred_folder={folder / "pred"}',
    *flags,
  ]
  root = panoptic_files.__file__.rsplit('metrics', 1)[0]
  return subprocess.run(command, capture_output=True, text=True, cwd=root)


def test_command_prints_the_golden_table():
  folder = shared.path('golden', 'metrics', 'pq')
  done = golden_command(f'--pred_json={folder / "pred.json"}')
  assert done.returncode == 0, done.stderr
  assert [line.split() for line in done.stdout.splitlines()] == [
    ['PQ', 'SQ', 'RQ', 'N'],
    ['All', '49.69', '72.44', '55.96', '11'],
    ['Things', '44.34', '71.18', '51.98', '6'],
    ['Stuff', '56.11', '73.96', '60.73', '5'],
  ]


def test_command_ends_with_one_sentence():
  done = golden_command('--pred_json=absent.json')
  assert done.returncode == 1
  assert done.stdout == ''
  assert done.stderr.startswith('error: absent.json is missing')
  assert done.stderr.count('\n') == 1


@pytest.mark.parametrize(
  'case, sentence',
  [
    ('segment_in_png_missing_from_json', 'in the map but not in the list'),
    ('unknown_category', 'unknown category_id 77'),
  ],
)
def test_golden_invalid_cases_are_refused(case, sentence):
  folder = shared.path('golden', 'metrics', 'pq_invalid', case)
  with pytest.raises(ValueError, match=f'image 1000, prediction.*{sentence}'):
    panoptic_files.score(
      folder / 'gt.json', folder / 'gt', folder / 'pred.json', folder / 'pred'
    )


def test_every_golden_invalid_case_is_tested():
  folder = shared.path('golden', 'metrics', 'pq_invalid')
  assert json.loads((folder / 'expected.json').read_text()).keys() == {
    'segment_in_png_missing_from_json',
    'unknown_category',
  }


def duplicate_annotation(content):
  content['annotations'].append(content['annotations'][0])


def drop_segments(content):
  del content['annotations'][2]['segments_info']


def drop_predictions(content):
  del content['annotations'][5:7]


@pytest.mark.parametrize(
  'which, change, sentence',
  [
    (0, lambda c: c.pop('annotations'), 'has no list "annotations"'),
    (0, lambda c: c.pop('categories'), 'has no list "categories"'),
    (0, lambda c: c['annotations'].clear(), 'has no annotations'),
    (2, duplicate_annotation, 'image 0 has two annotations'),
    (2, drop_segments, 'annotation 2 lacks a valid'),
    (
      2,
      drop_predictions,
      'no prediction for 2 of 70 images, the first being image 5',
    ),
  ],
)
def test_malformed_json_is_refused(files, which, change, sentence):
  paths, _ = files
  edit(paths[which], change)
  with pytest.raises(ValueError, match=sentence):
    panoptic_files.score(*paths)


@pytest.mark.parametrize('text', ['', '{"annotations": [', '[]', '3'])
def test_what_is_no_panoptic_json_is_refused(files, text):
  paths, _ = files
  paths[2].write_text(text)
  with pytest.raises(ValueError, match='pred.json (is not JSON|has no list)'):
    panoptic_files.score(*paths)


@pytest.mark.parametrize('position', range(4))
def test_missing_files_and_folders_are_named(files, position):
  paths, _ = files
  paths[position] = paths[position].parent / 'absent'
  with pytest.raises(FileNotFoundError, match='absent is missing; give'):
    panoptic_files.score(*paths)


def _set_ids(path, id_of):
  def change(content):
    for annotation in content['annotations']:
      annotation['image_id'] = id_of(annotation['image_id'])

  edit(path, change)


@pytest.mark.parametrize(
  ('true_id', 'predicted_id'),
  [
    (lambda i: f'aachen_{i}', lambda i: f'aachen_{i}'),
    (lambda i: i, str),
    (str, lambda i: i),
    (float, lambda i: i),
  ],
)
def test_ids_may_be_texts(files, true_id, predicted_id):
  paths, _ = files
  before = panoptic_files.score(*paths)
  _set_ids(paths[0], true_id)
  _set_ids(paths[2], predicted_id)
  assert panoptic_files.score(*paths) == before


@pytest.mark.parametrize(
  ('which', 'id_of', 'sentence'),
  [
    (0, lambda i: '' if i == 3 else i, 'annotation 3 has no valid "image_id"'),
    (
      2,
      lambda i: i + 0.5,
      'annotation 0 has no valid "image_id": write a whole',
    ),
    (2, lambda i: '4' if i == 3 else i, "'4' and 4 are one image id"),
    (
      2,
      lambda i: f'a{i}',
      "no image id of .*, such as 'a0', is in .* such as 0",
    ),
  ],
)
def test_wrong_ids_are_refused(files, which, id_of, sentence):
  paths, _ = files
  _set_ids(paths[which], id_of)
  with pytest.raises(ValueError, match=sentence):
    panoptic_files.score(*paths)


@pytest.fixture
def no_decoding(monkeypatch):
  """Fails the test if a PNG is decoded before the input is refused."""

  def decode(path, encoding, segment_ids):
    raise AssertionError(f'{path} was decoded before all was checked')

  monkeypatch.setattr(png, 'read_ids', decode)


@pytest.mark.usefixtures('no_decoding')
def test_a_missing_png_is_found_first(files):
  paths, _ = files
  (paths[3] / '69.png').unlink()
  with pytest.raises(FileNotFoundError, match='69.png is missing'):
    panoptic_files.score(*paths)


@pytest.mark.usefixtures('no_decoding')
def test_shapes_are_compared_first(files):
  paths, _ = files
  png.write_ids(paths[3] / '69.png', np.zeros([3, 4], np.int32), png.COCO)
  with pytest.raises(ValueError, match='image 69: .*6, 8.*3, 4.*resize'):
    panoptic_files.score(*paths)


@pytest.mark.usefixtures('no_decoding')
def test_pngs_of_four_channels_are_refused_first(files):
  paths, _ = files
  Image.new('RGBA', (8, 6)).save(paths[3] / '69.png')
  with pytest.raises(ValueError, match='69.png is a PNG of .*8-bit RGB PNG'):
    panoptic_files.score(*paths)


@pytest.mark.usefixtures('no_decoding')
def test_pngs_of_too_many_pixels_are_refused_first(files):
  paths, _ = files
  content = bytearray((paths[3] / '69.png').read_bytes())
  content[16:24] = struct.pack('>II', 13_400, 13_400)
  (paths[3] / '69.png').write_bytes(content)
  sentence = '69.png: it has 13400x13400 pixels, and 100,000,000 are the most'
  with pytest.raises(ValueError, match=sentence):
    panoptic_files.score(*paths)


def test_pngs_of_one_channel_score_as_others(files):
  paths, pairs = files
  before = panoptic_files.score(*paths)
  ids, index = np.unique(pairs[69][1].segment_ids, return_inverse=True)
  index = index.reshape(6, 8).astype(np.uint8)
  image = Image.fromarray(index).convert('P')
  image.putpalette(
    np.stack([ids, ids >> 8, ids >> 16], -1).astype(np.uint8).tobytes()
  )
  image.save(paths[3] / '69.png')
  assert panoptic_files.score(*paths) == before
  # And with ids as values.
  Image.fromarray(index).save(paths[3] / '69.png')
  with pytest.raises(ValueError, match='69.png: the mask has one channel'):
    panoptic_files.score(*paths)
  new_ids = dict(zip(ids.tolist(), range(len(ids)), strict=True))

  def renumber(content):
    for segment in content['annotations'][69]['segments_info']:
      segment['id'] = new_ids[segment['id']]

  edit(paths[2], renumber)
  assert panoptic_files.score(*paths) == before


@pytest.mark.usefixtures('no_decoding')
def test_16_bit_rgb_is_refused_first(files):
  paths, _ = files
  png = bytearray((paths[3] / '69.png').read_bytes())
  png[24] = 16
  (paths[3] / '69.png').write_bytes(png)
  with pytest.raises(ValueError, match='PNG of 16 bits and colour type 2'):
    panoptic_files.score(*paths)


def test_workers_are_checked():
  with pytest.raises(ValueError, match='0 workers'):
    panoptic_files.score('a', 'b', 'c', 'd', workers=0)
