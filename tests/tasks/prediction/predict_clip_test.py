"""Tests of prediction on a folder of frames."""

import json

import numpy as np
import pytest
import tensorflow as tf
import tiny
from PIL import Image

from configs import base
from data import registry
from data.reading import spec
from panoptic import maps, png
from tasks import videos
from tasks.prediction import predict

_CLASSES = registry.class_table(base.Data())


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


def test_a_broken_video(frames, checkpoint):
  path = frames / 'clip.mp4'
  path.write_bytes(b'')
  _fails(ValueError, 'clip.mp4 is an empty file: copy', path, checkpoint)


def test_a_way_to_a_given_mask(frames, checkpoint, tmp_path):
  with pytest.raises(ValueError, match='--trajectory shows how .* leave out'):
    predict.run(
      *(_config(), str(frames), str(tmp_path / 'out'), checkpoint),
      first_mask='a.png',
      trajectory=True,
    )


def test_frame_cut_short(frames, checkpoint):
  path = frames / 'frame9.png'
  path.write_bytes(path.read_bytes()[:800])
  _fails(ValueError, 'frame9.png cannot be read', frames, checkpoint)


def _first_mask(folder, ids, segments):
  """A result of one frame."""
  with spec.coco_results(str(folder), _CLASSES) as writer:
    writer.add(1, 'first.png', maps.PanopticMap(ids, segments))
  return str(folder / 'panoptic' / 'first.png')


@pytest.mark.slow
def test_a_clip_from_a_first_mask(
  frames, checkpoint, tmp_path, monkeypatch, reuse_network
):
  ids = np.where(np.arange(50) < 20, 5, 2).astype(np.int32)[None].repeat(30, 0)
  ids[:3] = 0
  first = _first_mask(
    tmp_path / 'first', ids, [maps.Segment(5, 1), maps.Segment(2, 4)]
  )
  seen = []
  predict_label_map = videos.VideoTask.predict_label_map

  def watch(self, model, batch, state):
    seen.append((batch['is_first_frame'], state['past_masks']))
    return predict_label_map(self, model, batch, state)

  monkeypatch.setattr(videos.VideoTask, 'predict_label_map', watch)
  monkeypatch.setattr(tf, 'function', lambda function, **_: function)
  output = tmp_path / 'output'
  predict.run(_config(), str(frames), str(output), checkpoint, first_mask=first)
  content = json.loads((output / 'panoptic.json').read_text())
  assert len(content['annotations']) == 4
  listed = content['annotations'][0]['segments_info']
  assert {s['id']: s['category_id'] for s in listed} == {5: 1, 2: 4}
  found = png.read_ids(output / 'panoptic' / 'frame8.png', png.COCO)
  np.testing.assert_array_equal(found, ids)
  # Three frames are sampled. The first of them sees the mask as its past.
  assert [bool(is_first[0]) for is_first, _ in seen] == [False] * 3
  past = seen[0][1].numpy()[0]
  np.testing.assert_array_equal(past[0], past[1])
  # A frame fills 19 of 32 rows of the input.
  assert past[0, 5, 2].tolist() == [1, 5] and past[0, 5, 14].tolist() == [4, 2]
  assert not past[0, 10:].any()


@pytest.mark.parametrize(
  ('ids', 'changes', 'sentence'),
  [
    (np.ones([30, 51]), {}, 'first.png has 30x51 pixels, but its image has 30'),
    (np.zeros([30, 50]), {}, 'first.png has no object to follow: label at lea'),
    (
      np.arange(1500).reshape(30, 50) // 150,
      {},
      'first.png has 9 segments, but the model has ids for 7: leave the small',
    ),
    (
      np.ones([30, 50]),
      {'model__past_masks': 0},
      'has no effect on a model that sees each frame alone',
    ),
    (
      np.ones([30, 50]),
      {'evaluation__video': base.Video(withhold_past=True)},
      'has no effect where the past is withheld: set',
    ),
  ],
)
def test_first_masks_that_do_not_fit(
  frames, checkpoint, tmp_path, ids, changes, sentence
):
  ids = ids.astype(np.int32)
  listed = [maps.Segment(i, 1) for i in np.unique(ids).tolist() if i]
  first = _first_mask(tmp_path / 'first', ids, listed)
  output = tmp_path / 'output'
  with pytest.raises(ValueError, match=sentence) as error:
    config = _config()
    tiny._change(config, changes)
    predict.run(config, str(frames), str(output), checkpoint, first_mask=first)
  assert '\n' not in str(error.value)
  assert not output.exists()


def test_given_maps_are_for_images(frames, checkpoint, tmp_path):
  with pytest.raises(ValueError, match='--given is for images: give --first_m'):
    predict.run(
      *(_config(), str(frames), str(tmp_path / 'out'), checkpoint),
      given=str(frames),
    )
