"""Tests of the images that stand for a user's own."""

import numpy as np

from colabs import scenes


def test_a_scene_is_an_image_with_a_mask_for_each_object():
  drawn = [scenes.draw(number) for number in range(8)]
  for scene in drawn:
    assert scene.image.dtype == np.uint8
    assert scene.image.shape == (scenes.HEIGHT, scenes.WIDTH, 3)
    assert scene.names[:2] == ['wall', 'floor'] and len(scene.names) > 2
    assert len(scene.masks) == len(scene.names)
    for mask in scene.masks:
      assert mask.dtype == bool and mask.any()
      assert mask.shape == scene.image.shape[:2]
    assert np.any(scene.masks, axis=0).all()
  assert {name for scene in drawn for name in scene.names[2:]} == {
    'ball',
    'box',
  }


def test_a_number_gives_one_scene():
  first, second = scenes.draw(3), scenes.draw(3)
  np.testing.assert_array_equal(first.image, second.image)
  assert not np.array_equal(first.image, scenes.draw(4).image)
