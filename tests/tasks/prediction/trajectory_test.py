"""Tests of a trajectory as a user has it."""

import io

import numpy as np
import pytest
from PIL import Image

from panoptic import classes, maps
from tasks.prediction import result, settings, trajectory

_CLASSES = classes.ClassTable([classes.Category(7, 'cat', True, (250, 0, 0))])


def _prediction(rows):
  ids = np.zeros([20, 30], np.int32)
  ids[:rows] = 3
  segments = [maps.Segment(3, 7, 0, rows * 30)] if rows else []
  image = np.full([20, 30, 3], 100, np.uint8)
  return result.Prediction(image, maps.PanopticMap(ids, segments), _CLASSES)


def test_a_trajectory_is_drawn_as_a_row(tmp_path):
  found = trajectory.Trajectory([1, 4], [_prediction(0), _prediction(10)])
  assert repr(found) == 'Trajectory of steps 1, 4'
  drawing = found.draw(min_side=0)
  assert drawing.dtype == np.uint8 and drawing.shape[1] == 3 * 34 - 4
  middle = drawing[-len(drawing) :]
  assert (middle == (250, 0, 0)).all(-1)[:, 68:].sum() >= 300
  assert not (middle[:40] == (250, 0, 0)).all(-1)[:, 34:64].any()
  found.save_drawing(tmp_path / 'new' / 'a.png')
  with Image.open(tmp_path / 'new' / 'a.png') as image:
    np.testing.assert_array_equal(np.asarray(image), found.draw())
  with Image.open(io.BytesIO(found._repr_png_())) as image:
    np.testing.assert_array_equal(np.asarray(image), found.draw())


def test_steps_that_are_shown():
  assert settings.shown_steps(None, 20) == [1, 2, 4, 8, 16, 20]
  assert settings.shown_steps(None, 1) == [1]
  assert settings.shown_steps([5, 2, 5], 5) == [2, 5]
  for shown, sentence in (
    ([], 'shown is empty: give numbers of steps, 1 to 5'),
    ([0], 'shown is 0; it must be between 1 and 5'),
    ([6], 'shown is 6; it must be between 1 and 5'),
    (3, 'shown is 3; it must be a list'),
  ):
    with pytest.raises(ValueError, match=sentence):
      settings.shown_steps(shown, 5)
