"""Panoptic files: round trips, golden figures, the command, bad input."""

import json
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import shared
from PIL import Image

from metrics import panoptic_files, png_maps
from metrics.panoptic_quality import Category, PanopticMap, PanopticQuality

CATEGORIES = [Category(1, 'person', True), Category(90, 'sky', False)]


def make_image(rng):
  """Two maps and lists that share most pixels; ids use all three bytes."""
  ids = rng.choice(2**24 - 1, 4, replace=False) + 1
  ground_truth = ids[np.sort(rng.integers(0, 4, [6, 8]))]
  prediction = np.where(rng.random([6, 8]) < 0.2, 0, ground_truth)
  pair = []
  for segment_ids in (ground_truth, prediction):
    segments = [
      {
        'id': int(i),
        'category_id': CATEGORIES[k % 2].id,
        'iscrowd': int(k == 3),
      }
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
    with panoptic_files.ResultWriter(folder, json_path, CATEGORIES) as writer:
      for i, pair in enumerate(pairs):
        writer.add(i, f'{i}.png', *pair[side])
    paths += [json_path, folder]
  return paths, pairs


def edit(path, change):
  content = json.loads(path.read_text())
  change(content)
  path.write_text(json.dumps(content))


def test_png_round_trip_of_extreme_ids(tmp_path):
  ids = np.array([[0, 255, 256], [65535, 65536, 2**24 - 1]])
  path = tmp_path / 'a.png'
  png_maps.write_png(path, ids)
  read = png_maps.read_png(path)
  assert read.dtype == np.int32
  np.testing.assert_array_equal(read, ids)
  assert png_maps.png_shape(path) == (2, 3)
  assert [p.name for p in tmp_path.iterdir()] == ['a.png']
  with Image.open(path) as image:
    rgb = np.asarray(image).astype(np.int64)
  np.testing.assert_array_equal(rgb @ [1, 256, 65536], ids)


def test_written_segments_have_area_and_box(tmp_path):
  ids = np.array([[5, 5, 0, 0], [0, 5, 9, 0], [0, 0, 9, 9]], np.uint8)
  segments = [
    {'id': 9, 'category_id': 90},
    {'id': 5, 'category_id': 1, 'iscrowd': 1},
  ]
  path = tmp_path / 'made' / 'result.json'
  with panoptic_files.ResultWriter(
    tmp_path / 'png', path, CATEGORIES
  ) as writer:
    writer.add(3, '3.png', ids, segments)
  content = json.loads(path.read_text())
  keys = ('id', 'category_id', 'area', 'bbox', 'iscrowd')
  assert content['annotations'] == [
    {
      'image_id': 3,
      'file_name': '3.png',
      'segments_info': [
        dict(zip(keys, (9, 90, 3, [2, 1, 2, 2], 0), strict=True)),
        dict(zip(keys, (5, 1, 3, [0, 0, 2, 2], 1), strict=True)),
      ],
    }
  ]
  assert content['categories'] == [
    {'id': 1, 'name': 'person', 'isthing': 1},
    {'id': 90, 'name': 'sky', 'isthing': 0},
  ]
  assert [p.name for p in path.parent.iterdir()] == ['result.json']


def test_written_segments_equal_those_of_coco(tmp_path):
  folder = shared.path('data', 'coco_panoptic_mini', 'annotations')
  path = folder / 'panoptic_val2017.json'
  content = panoptic_files.read_json(path)
  images = panoptic_files.read_annotations(
    content, path, folder / 'panoptic_val2017'
  )
  with panoptic_files.ResultWriter(
    tmp_path, tmp_path / 'a.json', panoptic_files.read_categories(content, path)
  ) as writer:
    for i, image in images.items():
      writer.add(
        i, image.png.name, png_maps.read_png(image.png), image.segments
      )
  written = json.loads((tmp_path / 'a.json').read_text())['annotations']
  assert [a['segments_info'] for a in written] == [
    [
      {k: s[k] for k in ('id', 'category_id', 'area', 'bbox', 'iscrowd')}
      for s in image.segments
    ]
    for image in images.values()
  ]


@pytest.mark.parametrize('workers', [1, 3])
def test_files_score_as_in_memory(files, workers):
  paths, pairs = files
  quality = PanopticQuality(CATEGORIES)
  for pair in pairs:
    quality.update(*pair)
  result, expected = panoptic_files.score(*paths, workers), quality.result()
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


@pytest.fixture
def no_decoding(monkeypatch):
  """Fails the test if a PNG is decoded before the input is refused."""

  def decode(path):
    raise AssertionError(f'{path} was decoded before all was checked')

  monkeypatch.setattr(png_maps, 'read_png', decode)


@pytest.mark.usefixtures('no_decoding')
def test_a_missing_png_is_found_first(files):
  paths, _ = files
  (paths[3] / '69.png').unlink()
  with pytest.raises(FileNotFoundError, match='69.png is missing'):
    panoptic_files.score(*paths)


@pytest.mark.usefixtures('no_decoding')
def test_shapes_are_compared_first(files):
  paths, _ = files
  png_maps.write_png(paths[3] / '69.png', np.zeros([3, 4], np.int32))
  with pytest.raises(ValueError, match='image 69: .*6, 8.*3, 4.*resize'):
    panoptic_files.score(*paths)


@pytest.mark.usefixtures('no_decoding')
@pytest.mark.parametrize('mode', ['L', 'RGBA', 'P', '1', 'I;16'])
def test_pngs_that_are_not_rgb_are_refused_first(files, mode):
  paths, _ = files
  Image.new(mode, (8, 6)).save(paths[3] / '69.png')
  with pytest.raises(ValueError, match='69.png is a PNG of .*8-bit RGB PNG'):
    panoptic_files.score(*paths)


@pytest.mark.usefixtures('no_decoding')
def test_16_bit_rgb_is_refused_first(files):
  paths, _ = files
  png = bytearray((paths[3] / '69.png').read_bytes())
  png[24] = 16
  (paths[3] / '69.png').write_bytes(png)
  with pytest.raises(ValueError, match='PNG of 16 bits and colour type 2'):
    panoptic_files.score(*paths)


def test_what_is_no_png_is_refused(tmp_path):
  path = tmp_path / 'a.png'
  Image.new('RGB', (8, 6)).save(path, format='JPEG')
  with pytest.raises(ValueError, match='a.png is not a PNG'):
    png_maps.read_png(path)
  path.write_bytes(b'')
  with pytest.raises(ValueError, match='a.png is not a PNG'):
    png_maps.read_png(path)


@pytest.mark.parametrize('kept', [30, 60, 0.5])
def test_a_damaged_png_is_refused(tmp_path, kept):
  path = tmp_path / 'a.png'
  rng = np.random.default_rng(0)
  png_maps.write_png(path, rng.integers(0, 2**24, [90, 90]))
  png = path.read_bytes()
  path.write_bytes(png[: kept if kept > 1 else int(kept * len(png))])
  with pytest.raises(ValueError, match='a.png is a damaged PNG'):
    png_maps.read_png(path)


@pytest.mark.parametrize('ids', [[[-1]], [[2**24]]])
def test_ids_that_no_png_holds_are_refused(tmp_path, ids):
  with pytest.raises(ValueError, match='a PNG holds 0 to 16777215'):
    png_maps.write_png(tmp_path / 'a.png', np.array(ids))
  assert not list(tmp_path.iterdir())


def test_workers_are_checked():
  with pytest.raises(ValueError, match='0 workers'):
    panoptic_files.score('a', 'b', 'c', 'd', workers=0)


ONE = np.array([[1, 1]])
ONE_SEGMENTS = [{'id': 1, 'category_id': 1}]


@pytest.mark.parametrize(
  'image_id, name, ids, segments, sentence',
  [
    (0, 'b.png', ONE, ONE_SEGMENTS, 'has already been written'),
    (1, 'a.png', ONE, ONE_SEGMENTS, 'has already been written'),
    (1, 'b.jpg', ONE, ONE_SEGMENTS, 'is not the name of a PNG'),
    (1, '../b.png', ONE, ONE_SEGMENTS, 'is not the name of a PNG'),
    (1, '/b.png', ONE, ONE_SEGMENTS, 'is not the name of a PNG'),
    (1, 'b.png', ONE + 1, ONE_SEGMENTS, 'image 1: segment ids 2 are in'),
    (1, 'b.png', ONE, [{'id': 1, 'category_id': 2}], 'unknown category_id 2'),
    (1, 'b.png', ONE * 0, ONE_SEGMENTS, 'segments 1 are listed but have no'),
    (1, 'b.png', ONE * 1.0, ONE_SEGMENTS, 'the segment map is float64'),
  ],
)
def test_writer_refuses_bad_images(
  tmp_path, image_id, name, ids, segments, sentence
):
  writer = panoptic_files.ResultWriter(
    tmp_path / 'png', tmp_path / 'a.json', CATEGORIES
  )
  writer.add(0, 'a.png', ONE, ONE_SEGMENTS)
  with pytest.raises(ValueError, match=sentence):
    writer.add(image_id, name, ids, segments)
  assert [p.name for p in (tmp_path / 'png').iterdir()] == ['a.png']
  writer.close()
  content = json.loads((tmp_path / 'a.json').read_text())
  assert len(content['annotations']) == 1


def test_an_interrupted_result_leaves_the_earlier_json(tmp_path):
  path = tmp_path / 'a.json'
  path.write_text('earlier')
  with pytest.raises(RuntimeError, match='stop'):
    with panoptic_files.ResultWriter(tmp_path, path, CATEGORIES) as writer:
      writer.add(0, 'a.png', ONE, ONE_SEGMENTS)
      raise RuntimeError('stop')
  assert path.read_text() == 'earlier'


def test_a_closed_writer_stays_closed(tmp_path):
  path = tmp_path / 'result.json'
  writer = panoptic_files.ResultWriter(tmp_path / 'png', path, CATEGORIES)
  ids, segments = np.array([[1]]), [{'id': 1, 'category_id': 1}]
  writer.add(1, '1.png', ids, segments)
  writer.close()
  before = path.read_bytes()
  writer.close()
  with pytest.raises(ValueError, match='image 2 comes after .*closed'):
    writer.add(2, '2.png', ids, segments)
  assert path.read_bytes() == before


@pytest.mark.skipif(
  not os.path.exists('/dev/full'), reason='only Linux has /dev/full'
)
def test_a_full_disk_does_not_hide_the_error(tmp_path):
  path = tmp_path / 'result.json'
  with (
    pytest.raises(KeyError, match='the reason'),
    panoptic_files.ResultWriter(tmp_path / 'png', path, CATEGORIES) as writer,
  ):
    writer._file.close()
    writer._file = open('/dev/full', 'w')
    writer._file.write('something')
    raise KeyError('the reason')
  assert not list(tmp_path.glob('*.json*'))


def test_memory_does_not_grow_with_the_segments(tmp_path):
  ids = np.arange(900).reshape(30, 30) // 30 + 1
  found = [{'id': i, 'category_id': 1} for i in range(1, 31)]
  folder, path = tmp_path / 'maps', tmp_path / 'result.json'
  seen = []
  tracemalloc.start()
  with panoptic_files.ResultWriter(folder, path, CATEGORIES) as writer:
    for i in range(120):
      writer.add(i, f'{i}.png', ids, found)
      if i in (59, 119):
        seen.append(tracemalloc.get_traced_memory()[0])
    assert not path.exists()
  tracemalloc.stop()
  # Of 30 segments, their description alone takes several kilobytes.
  assert seen[1] - seen[0] < 60 * 1000
  content = json.loads(path.read_text())
  assert [a['image_id'] for a in content['annotations']] == list(range(120))
  assert len(content['annotations'][7]['segments_info']) == 30
  assert list(tmp_path.glob('*.tmp')) == []


def test_nothing_is_left_of_a_result_that_failed(tmp_path):
  path = tmp_path / 'result.json'
  with (
    pytest.raises(ValueError, match='category'),
    panoptic_files.ResultWriter(tmp_path / 'maps', path, CATEGORIES) as writer,
  ):
    writer.add(1, '1.png', np.ones([2, 2], int), [{'id': 1, 'category_id': 9}])
  assert not list(tmp_path.glob('*.json*'))
