"""Tests of prediction on a folder of frames."""

import json

import numpy as np
import pytest
import tensorflow as tf
import tiny
from PIL import Image

from configs import base
from panoptic import png
from tasks import predict


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
  folder = tmp_path_factory.mktemp('checkpoint')
  model = tiny.build(seed=3, past_masks=2)
  return tf.train.Checkpoint(model=model).write(str(folder / 'ckpt'))


def _frame(path, size=(30, 50), seed=0):
  pixels = np.random.default_rng(seed).integers(0, 256, [*size, 3])
  Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture
def frames(tmp_path):
  """Four frames, whose names are not in order as text."""
  folder = tmp_path / 'frames'
  folder.mkdir()
  for number in range(8, 12):
    _frame(folder / f'frame{number}.png', seed=number)
  return folder


def _config(**changes):
  return tiny.experiment(
    task='video',
    model__past_masks=2,
    data__name='moving_shapes',
    **changes,
  )


@pytest.mark.slow
def test_a_clip(frames, checkpoint, tmp_path, capsys, reuse_network):
  output = tmp_path / 'output'
  predict.run(_config(), str(frames), str(output), checkpoint)
  content = json.loads((output / 'panoptic.json').read_text())
  names = [a['file_name'] for a in content['annotations']]
  assert names == [f'frame{n}.png' for n in range(8, 12)]
  categories = {c['id'] for c in content['categories']}
  for annotation in content['annotations']:
    name = annotation['file_name']
    ids = png.read_ids(output / 'panoptic' / name, png.COCO)
    assert ids.shape == (30, 50)
    listed = {s['id']: s['category_id'] for s in annotation['segments_info']}
    assert set(listed) == set(np.unique(ids)) - {0}
    assert set(listed.values()) <= categories
    step = png.read_ids(output / 'masks' / name, png.KITTI_STEP)
    for segment, category in listed.items():
      assert set(np.unique(step[ids == segment] - 1 & 255)) == {category - 1}
    with Image.open(output / 'overlay' / name) as overlay:
      assert overlay.height >= 256
  assert '4/4 ' in capsys.readouterr().out

  def maps(folder):
    return [(folder / 'panoptic' / name).read_bytes() for name in names]

  # Again, and in two chunks, of which the second remembers nothing.
  again, split = tmp_path / 'again', tmp_path / 'split'
  predict.run(_config(), str(frames), str(again), checkpoint)
  assert maps(again) == maps(output)
  config = _config(evaluation__video=base.Video(max_frames=2))
  predict.run(config, str(frames), str(split), checkpoint)
  assert maps(split) == maps(output)  # Only evaluation splits.


def _fails(error, sentence, frames, checkpoint, config=None):
  output = frames.parent / 'output'
  with pytest.raises(error, match=sentence) as found:
    predict.run(config or _config(), str(frames), str(output), checkpoint)
  assert '\n' not in str(found.value)
  assert not output.exists()


def test_missing_frame(frames, checkpoint):
  (frames / 'frame10.png').unlink()
  _fails(
    FileNotFoundError,
    'lacks a frame between frame9 and frame11: add it',
    frames,
    checkpoint,
  )


def test_frame_of_another_size(frames, checkpoint):
  _frame(frames / 'frame11.png', (30, 51))
  _fails(
    ValueError,
    'frame11.png has 30x51 pixels, but .*frame8.png has 30x50: give all',
    frames,
    checkpoint,
  )


def test_empty_clip(frames, checkpoint):
  for path in frames.iterdir():
    path.unlink()
  _fails(FileNotFoundError, 'no image in .*frames', frames, checkpoint)


def test_more_frames_than_allowed(frames, checkpoint):
  config = _config(evaluation__video=base.Video(max_frames=3, split=False))
  _fails(
    ValueError,
    'has 4 frames, and evaluation.video.max_frames allows 3: raise that',
    frames,
    checkpoint,
    config,
  )


def test_two_frames_of_one_number(frames, checkpoint):
  _frame(frames / 'frame08.png')
  _fails(ValueError, 'frame08 and frame8, have one', frames, checkpoint)


def test_frame_of_another_name(frames, checkpoint):
  _frame(frames / 'cover.png')
  _fails(
    ValueError,
    'cover.png is not named frame<number>, like other frames',
    frames,
    checkpoint,
  )


def test_a_file_is_no_clip(frames, checkpoint):
  _fails(
    NotADirectoryError, 'is a file: give', frames / 'frame8.png', checkpoint
  )


def test_frame_cut_short(frames, checkpoint):
  path = frames / 'frame9.png'
  path.write_bytes(path.read_bytes()[:800])
  _fails(ValueError, 'frame9.png cannot be read', frames, checkpoint)
