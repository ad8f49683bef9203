"""Tests of a prediction as a user has it."""

import dataclasses
import io
import json

import numpy as np
import pytest
from PIL import Image

from panoptic import classes, maps, png
from tasks.prediction import result

_CLASSES = classes.ClassTable(
  [
    classes.Category(7, 'cat', True, (250, 0, 0)),
    classes.Category(9, 'sky', False, (0, 0, 250)),
  ]
)


@pytest.fixture
def prediction():
  ids = np.zeros([20, 30], np.int32)
  ids[:, 10:], ids[:8, 10:] = 3, 5
  segments = [maps.Segment(3, 7, 0, 240), maps.Segment(5, 9, 0, 160)]
  image = np.full([20, 30, 3], 100, np.uint8)
  return result.Prediction(image, maps.PanopticMap(ids, segments), _CLASSES)


def test_segments_have_names(prediction):
  names = {key: c.name for key, c in prediction.categories.items()}
  assert names == {3: 'cat', 5: 'sky'}
  assert repr(prediction) == 'Prediction of 20x30 pixels: cat, sky'
  nothing = maps.PanopticMap(np.zeros([2, 3], np.int32), [])
  empty = result.Prediction(np.zeros([2, 3, 3], np.uint8), nothing, _CLASSES)
  assert repr(empty) == 'Prediction of 2x3 pixels: nothing'


def test_drawings(prediction, tmp_path):
  plain = prediction.draw(names=False, min_side=0)
  assert plain.shape == (20, 30, 3) and plain.dtype == np.uint8
  np.testing.assert_array_equal(plain[15, 20], [175, 50, 50])
  assert prediction.draw().shape[0] >= 256 * 2 // 3
  path = tmp_path / 'new' / 'drawing.png'
  prediction.save_drawing(path)
  with Image.open(path) as image:
    np.testing.assert_array_equal(np.asarray(image), prediction.draw())
  with Image.open(io.BytesIO(prediction._repr_png_())) as image:
    np.testing.assert_array_equal(np.asarray(image), prediction.draw())


def test_segments_are_saved_in_cocos_format(prediction, tmp_path, monkeypatch):
  path = tmp_path / 'new' / '000000000139.png'
  prediction.save(path)
  ids = png.read_ids(path, png.COCO)
  np.testing.assert_array_equal(ids, prediction.panoptic_map.segment_ids)
  content = json.loads(path.with_suffix('.json').read_text())
  (annotation,) = content['annotations']
  assert annotation['image_id'] == 139
  found = {s['id']: s['category_id'] for s in annotation['segments_info']}
  assert found == {3: 7, 5: 9}
  monkeypatch.chdir(tmp_path)
  prediction.save('cat.png')
  assert (tmp_path / 'cat.json').exists()
  with pytest.raises(ValueError, match="'cat.jpg' is not the name of a PNG"):
    prediction.save('cat.jpg')
  assert not (tmp_path / 'cat.jpg').exists()


def test_each_pixel_has_a_class(prediction):
  found = prediction.class_map
  assert found.dtype == np.int32
  assert not found[:, :10].any()
  assert (found[8:, 10:] == 1).all() and (found[:8, 10:] == 2).all()


def test_scores_are_drawn_where_they_are_asked_for(prediction):
  scored = dataclasses.replace(prediction, scores={3: 0.5})
  plain = prediction.draw()
  np.testing.assert_array_equal(scored.draw(), plain)
  np.testing.assert_array_equal(prediction.draw(scores=True), plain)
  assert (scored.draw(scores=True) != plain).any()
