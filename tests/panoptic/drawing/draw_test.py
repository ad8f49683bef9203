"""Tests of drawings of panoptic maps."""

import numpy as np
import pytest

from panoptic import classes as classes_lib
from panoptic import maps
from panoptic.drawing import draw

_CLASSES = classes_lib.ClassTable(
  [
    classes_lib.Category(10, 'cup', True, (200, 60, 60)),
    classes_lib.Category(20, 'sky', False, (60, 200, 60)),
  ]
)
_IDS = np.array([[1, 1, 2], [1, 0, 2], [3, 3, 3]])
_SEGMENTS = [
  maps.Segment(1, 10),
  maps.Segment(2, 10),
  maps.Segment(3, 20),
]


def test_segments_have_their_class_colour_and_things_differ():
  colors = draw.segment_colors(_SEGMENTS, _CLASSES)
  assert tuple(colors[1]) == (200, 60, 60)
  assert tuple(colors[3]) == (60, 200, 60)
  assert np.abs(colors[2].astype(int) - colors[1]).max() > 20
  many = [maps.Segment(i, 10) for i in range(1, 31)]
  distinct = {tuple(c) for c in draw.segment_colors(many, _CLASSES).values()}
  assert len(distinct) == 30
  stuff = [maps.Segment(i, 20) for i in (1, 2)]
  colors = draw.segment_colors(stuff, _CLASSES)
  np.testing.assert_array_equal(colors[1], colors[2])


def test_paint():
  drawn = draw.paint(maps.PanopticMap(_IDS, _SEGMENTS), _CLASSES)
  assert drawn.shape == (3, 3, 3) and drawn.dtype == np.uint8
  colors = draw.segment_colors(_SEGMENTS, _CLASSES)
  for (i, j), segment_id in np.ndenumerate(_IDS):
    if segment_id:
      np.testing.assert_array_equal(drawn[i, j], colors[segment_id])
  assert drawn[1, 1].max() < 60  # Void is dark.


def test_boundaries_lie_left_of_and_above_a_change():
  np.testing.assert_array_equal(
    draw.boundaries(_IDS),
    [[False, True, False], [True, True, True], [False, False, False]],
  )
  assert not draw.boundaries(np.ones([4, 4], int)).any()


def test_overlay_outlines_and_names():
  ids = np.ones([60, 90], int)
  ids[:, 45:] = 3
  image = np.full([60, 90, 3], 100, np.uint8)
  both = maps.PanopticMap(ids, _SEGMENTS[::2])
  plain = draw.overlay(image, both, _CLASSES, names=False)
  assert plain.shape == image.shape and plain.dtype == np.uint8
  np.testing.assert_array_equal(plain[0, 44], [255] * 3)
  np.testing.assert_array_equal(plain[0, 0], [150, 80, 80])
  np.testing.assert_array_equal(plain[0, 89], [80, 150, 80])
  named = draw.overlay(image, both, _CLASSES)
  changed = np.any(named != plain, axis=-1)
  assert changed[:, :45].any() and changed[:, 45:].any()
  assert changed.mean() < 0.2
  np.testing.assert_array_equal(image, 100)


@pytest.mark.parametrize(
  ('height', 'side', 'factor'), [(60, 0, 1), (60, 61, 2), (60, 256, 5)]
)
def test_overlay_enlarges_small_images(height, side, factor):
  image = np.zeros([height, 40, 3], np.uint8)
  ids = np.ones([height, 40], int)
  drawn = draw.overlay(
    image, maps.PanopticMap(ids, _SEGMENTS[:1]), _CLASSES, min_side=side
  )
  assert drawn.shape == (height * factor, 40 * factor, 3)


@pytest.mark.parametrize(
  ('size', 'factor'),
  [((32, 32), 8), ((1, 900), 1), ((900, 1), 1), ((24, 60), 11), ((64, 400), 2)],
)
def test_wide_images_are_not_enlarged_beyond_measure(size, factor):
  assert draw.enlargement(size, 256) == factor


def test_overlay_prints_instances_of_ids_that_hold_classes(monkeypatch):
  ids = np.full([40, 60], 3585)
  ids[:, 30:] = 2 * 512 + 1
  segments = [maps.Segment(3585, 10), maps.Segment(1025, 20)]
  written = []
  monkeypatch.setattr(
    draw.labels,
    'write',
    lambda image, found: written.append([label.text for label in found]),
  )
  both = maps.PanopticMap(ids, segments)
  image = np.zeros([40, 60, 3], np.uint8)
  draw.overlay(image, both, _CLASSES, ids=True)
  draw.overlay(image, both, _CLASSES, ids=True, max_instances=512)
  draw.overlay(image, both, _CLASSES, ids=True, by_id=True, max_instances=512)
  assert written == [
    ['cup 3585', 'sky 1025'],
    ['cup 1', 'sky 1'],
    ['cup 1', 'sky'],
  ]


def test_overlay_of_nothing():
  image = np.full([5, 6, 3], 200, np.uint8)
  drawn = draw.overlay(
    image, maps.PanopticMap(np.zeros([5, 6], int), []), _CLASSES
  )
  assert drawn.shape == (5, 6, 3)


def test_grid_pads_with_white():
  a = np.zeros([2, 3, 3], np.uint8)
  b = np.full([4, 1, 3], 9, np.uint8)
  sheet = draw.grid([[a, b], [b]], gap=1)
  assert sheet.shape == (9, 7, 3)
  assert not sheet[:2, :3].any()
  assert np.all(sheet[:4, 4] == 9) and np.all(sheet[5:9, 0] == 9)
  assert np.all(sheet[2:, 1:3] == 255) and np.all(sheet[5:, 4:] == 255)


def test_colours_by_id_stay_with_a_thing():
  first = draw.segment_colors(_SEGMENTS, _CLASSES, by_id=True)
  # In the next frame the first cup is gone.
  second = draw.segment_colors(_SEGMENTS[1:], _CLASSES, by_id=True)
  for i in (2, 3):
    np.testing.assert_array_equal(first[i], second[i])
  assert np.abs(first[1].astype(int) - first[2]).max() > 20


def test_shares_become_brighter_and_stay_in_bounds():
  drawn = draw.heat(np.array([np.linspace(-0.5, 1.5, 21)]))
  assert drawn.shape == (1, 21, 3) and drawn.dtype == np.uint8
  assert not drawn[0, :6].any() and drawn[0, -6:].min() > 190
  brightness = drawn[0].sum(-1)
  assert (np.diff(brightness[5:16].astype(int)) > 0).all()
  mask = np.array([[True, False]])
  np.testing.assert_array_equal(draw.heat(mask), draw.heat(mask * 1.0))


def test_overlay_writes_notes_after_names(monkeypatch):
  written = []
  monkeypatch.setattr(
    draw.labels,
    'write',
    lambda image, found: written.append([label.text for label in found]),
  )
  shown = maps.PanopticMap(_IDS, _SEGMENTS)
  image = np.zeros([*_IDS.shape, 3], np.uint8)
  draw.overlay(image, shown, _CLASSES, notes={1: '0.50', 3: '1.00'})
  assert written == [['cup 0.50', 'cup', 'sky 1.00']]
