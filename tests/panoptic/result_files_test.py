"""Result files: COCO's format, interrupted results, bad input."""

import json
import os
import tracemalloc

import numpy as np
import pytest
import shared

from metrics import panoptic_files
from panoptic import png
from panoptic.classes import Category
from panoptic.maps import PanopticMap, Segment
from panoptic.result_files import CocoResults, PngResults

CATEGORIES = [Category(1, 'person', True), Category(90, 'sky', False)]


def test_written_segments_have_area_and_box(tmp_path):
  ids = np.array([[5, 5, 0, 0], [0, 5, 9, 0], [0, 0, 9, 9]], np.uint8)
  segments = [Segment(9, 90), Segment(5, 1, 1)]
  path = tmp_path / 'made' / 'result.json'
  with CocoResults(tmp_path / 'png', path, CATEGORIES) as writer:
    writer.add(3, '3.png', PanopticMap(ids, segments), 'three.jpg')
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
  assert content['images'] == [
    {'id': 3, 'file_name': 'three.jpg', 'height': 3, 'width': 4}
  ]
  assert [p.name for p in path.parent.iterdir()] == ['result.json']


def test_scores_stand_beside_their_segments(tmp_path):
  ids = np.array([[5, 9, 9]], np.uint8)
  segments = [Segment(9, 90), Segment(5, 1)]
  path = tmp_path / 'result.json'
  with CocoResults(tmp_path / 'png', path, CATEGORIES) as writer:
    scores = {5: 2 / 3, 9: 1.0}
    writer.add(3, '3.png', PanopticMap(ids, segments), scores=scores)
    writer.add(4, '4.png', PanopticMap(ids, segments))
  content = json.loads(path.read_text())
  first, second = (a['segments_info'] for a in content['annotations'])
  assert [s['score'] for s in first] == [1.0, 0.6667]
  assert not any('score' in s for s in second)
  # Readers of results do not mind.
  read = panoptic_files.read_annotations(content, path, tmp_path / 'png')
  assert [s.id for s in read[3].segments] == [9, 5]


def test_names_may_be_as_long_as_a_file_system_allows(tmp_path):
  name = f'{"ä" * 125}x.png'
  assert len(name.encode()) == 255
  with CocoResults(tmp_path, tmp_path / 'a.json', CATEGORIES) as writer:
    writer.add(1, name, PanopticMap(np.ones([2, 3], int), [Segment(1, 1)]))
  assert sorted(p.name for p in tmp_path.iterdir()) == ['a.json', name]


def test_ids_are_written_as_the_data_set_has_them(tmp_path):
  path = tmp_path / 'result.json'
  ids = ('frankfurt_000000_000294', 7, '08')
  with CocoResults(tmp_path, path, CATEGORIES) as writer:
    for image_id in ids:
      writer.add(image_id, f'{image_id}.png', PanopticMap(ONE, ONE_SEGMENTS))
    with pytest.raises(ValueError, match='image 7 .*has already been written'):
      writer.add('7', 'seven.png', PanopticMap(ONE, ONE_SEGMENTS))
    with pytest.raises(ValueError, match='None is no image id'):
      writer.add(None, 'none.png', PanopticMap(ONE, ONE_SEGMENTS))
  content = json.loads(path.read_text())
  assert tuple(a['image_id'] for a in content['annotations']) == ids
  assert tuple(image['id'] for image in content['images']) == ids


def test_written_segments_equal_those_of_coco(tmp_path):
  folder = shared.path('data', 'coco_panoptic_mini', 'annotations')
  path = folder / 'panoptic_val2017.json'
  content = panoptic_files.read_json(path)
  images = panoptic_files.read_annotations(
    content, path, folder / 'panoptic_val2017'
  )
  with CocoResults(
    tmp_path, tmp_path / 'a.json', panoptic_files.read_categories(content, path)
  ) as writer:
    for i, image in images.items():
      writer.add(i, image.png.name, image.read())
  written = json.loads((tmp_path / 'a.json').read_text())['annotations']
  assert [a['segments_info'] for a in written] == [
    [
      {k: s[k] for k in ('id', 'category_id', 'area', 'bbox', 'iscrowd')}
      for s in annotation['segments_info']
    ]
    for annotation in content['annotations']
  ]


ONE = np.array([[1, 1]])
ONE_SEGMENTS = [Segment(1, 1)]


@pytest.mark.parametrize(
  'image_id, name, ids, segments, sentence',
  [
    (0, 'b.png', ONE, ONE_SEGMENTS, 'has already been written'),
    (1, 'a.png', ONE, ONE_SEGMENTS, 'has already been written'),
    (1, 'b.jpg', ONE, ONE_SEGMENTS, 'is not the name of a PNG'),
    (1, '../b.png', ONE, ONE_SEGMENTS, 'is not the name of a PNG'),
    (1, '/b.png', ONE, ONE_SEGMENTS, 'is not the name of a PNG'),
    (1, 'b.png', ONE + 1, ONE_SEGMENTS, 'image 1: segment ids 2 are in'),
    (1, 'b.png', ONE, [Segment(1, 2)], 'unknown category_id 2'),
    (1, 'b.png', ONE * 0, ONE_SEGMENTS, 'segments 1 are listed but have no'),
    (1, 'b.png', ONE * 1.0, ONE_SEGMENTS, 'the segment map is float64'),
  ],
)
def test_writer_refuses_bad_images(
  tmp_path, image_id, name, ids, segments, sentence
):
  writer = CocoResults(tmp_path / 'png', tmp_path / 'a.json', CATEGORIES)
  writer.add(0, 'a.png', PanopticMap(ONE, ONE_SEGMENTS))
  with pytest.raises(ValueError, match=sentence):
    writer.add(image_id, name, PanopticMap(ids, segments))
  assert [p.name for p in (tmp_path / 'png').iterdir()] == ['a.png']
  writer.close()
  content = json.loads((tmp_path / 'a.json').read_text())
  assert len(content['annotations']) == 1


def test_an_interrupted_result_leaves_the_earlier_json(tmp_path):
  path = tmp_path / 'a.json'
  path.write_text('earlier')
  with pytest.raises(RuntimeError, match='stop'):
    with CocoResults(tmp_path, path, CATEGORIES) as writer:
      writer.add(0, 'a.png', PanopticMap(ONE, ONE_SEGMENTS))
      raise RuntimeError('stop')
  assert path.read_text() == 'earlier'


def test_a_closed_writer_stays_closed(tmp_path):
  path = tmp_path / 'result.json'
  writer = CocoResults(tmp_path / 'png', path, CATEGORIES)
  prediction = PanopticMap(ONE, ONE_SEGMENTS)
  writer.add(1, '1.png', prediction)
  writer.close()
  before = path.read_bytes()
  writer.close()
  with pytest.raises(ValueError, match='image 2 comes after .*closed'):
    writer.add(2, '2.png', prediction)
  assert path.read_bytes() == before


@pytest.mark.skipif(
  not os.path.exists('/dev/full'), reason='only Linux has /dev/full'
)
def test_a_full_disk_does_not_hide_the_error(tmp_path):
  path = tmp_path / 'result.json'
  with (
    pytest.raises(KeyError, match='the reason'),
    CocoResults(tmp_path / 'png', path, CATEGORIES) as writer,
  ):
    writer._file.close()
    writer._file = open('/dev/full', 'w')
    writer._file.write('something')
    raise KeyError('the reason')
  assert not list(tmp_path.glob('*.json*'))


def test_memory_does_not_grow_with_the_segments(tmp_path):
  ids = np.arange(900).reshape(30, 30) // 30 + 1
  prediction = PanopticMap(ids, [Segment(i, 1) for i in range(1, 31)])
  folder, path = tmp_path / 'maps', tmp_path / 'result.json'
  seen = []
  tracemalloc.start()
  with CocoResults(folder, path, CATEGORIES) as writer:
    for i in range(120):
      writer.add(i, f'{i}.png', prediction)
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
    CocoResults(tmp_path / 'maps', path, CATEGORIES) as writer,
  ):
    writer.add(1, '1.png', PanopticMap(ONE, [Segment(1, 9)]))
  assert not list(tmp_path.glob('*.json*'))


def test_a_png_for_each_image(tmp_path):
  prediction = PanopticMap(np.array([[0, 3], [7, 7]]), [])
  with PngResults(
    tmp_path, png.DAVIS, lambda found: found.segment_ids + 1
  ) as writer:
    writer.add(1, 'camel/00000.png', prediction)
    with pytest.raises(
      ValueError, match='image 2: .* is not the name of a PNG'
    ):
      writer.add(2, '../00000.png', prediction)
  ids = png.read_ids(tmp_path / 'camel' / '00000.png', png.DAVIS)
  np.testing.assert_array_equal(ids, [[1, 4], [8, 8]])


def test_a_result_that_was_given_up_stays_closed(tmp_path):
  writer = CocoResults(tmp_path, tmp_path / 'x.json', CATEGORIES)
  with pytest.raises(RuntimeError, match='elsewhere'), writer:
    raise RuntimeError('elsewhere')
  writer.close()
  assert not list(tmp_path.iterdir())
