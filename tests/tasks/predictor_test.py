"""Tests of the object that predicts, with the smallest network."""

import json

import numpy as np
import pytest
import tensorflow as tf
import tiny
from PIL import Image

from configs import loading
from data import registry
from panoptic import classes, maps, png
from tasks import class_file
from tasks import predictor as predictor_lib
from tasks.prediction import predict, video_file


def _pixels(height, width, seed=0):
  random = np.random.default_rng(seed)
  return random.integers(0, 256, [height, width, 3]).astype(np.uint8)


def _save_run(config, folder):
  """A run's folder, with random weights."""
  loading.save(config, str(folder))
  model = tiny.build(seed=3, past_masks=config.model.past_masks)
  checkpoint = tf.train.Checkpoint(model=model)
  tf.train.CheckpointManager(checkpoint, str(folder), 1).save(3)
  return str(folder)


def _same(one, other):
  assert one.panoptic_map.segments == other.panoptic_map.segments
  np.testing.assert_array_equal(
    one.panoptic_map.segment_ids, other.panoptic_map.segment_ids
  )


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  return _save_run(tiny.experiment(), tmp_path_factory.mktemp('run'))


@pytest.fixture
def untrained():
  """Makes predictors whose network is never called."""

  def make(**changes):
    return predictor_lib.Predictor(
      tiny.experiment(**changes), classes.ClassTable([]), None
    )

  return make


@pytest.mark.slow
def test_an_image_has_one_answer_however_it_is_asked(
  run, tmp_path, capsys, monkeypatch, reuse_network
):
  predictor = predictor_lib.load(run)
  told = capsys.readouterr().out
  assert f'The experiment is the one stored in {run}.' in told
  assert 'weights loaded' in told and 'Compiling' not in told
  pixels = [_pixels(50, 20), _pixels(24, 60, 1), _pixels(32, 32, 2)]
  folder = tmp_path / 'images'
  folder.mkdir()
  paths = [folder / f'{i}.png' for i in range(3)]
  for path, image in zip(paths, pixels, strict=True):
    Image.fromarray(image).save(path)

  # Alone, whatever its form and size; traced once.
  alone = [predictor(image) for image in pixels]
  for one, image in zip(alone, pixels, strict=True):
    assert one.panoptic_map.segment_ids.shape == image.shape[:2]
    np.testing.assert_array_equal(one.image, image)
    assert one.panoptic_map.segments and one.categories
  _same(predictor(paths[1]), alone[1])
  _same(predictor(str(paths[1])), alone[1])
  _same(predictor(Image.open(paths[1])), alone[1])
  assert capsys.readouterr().out == (
    'Compiling for 1 image at a time, sampler ddim, 2 steps, td 0; later calls '
    'with these settings are quick.\n'
  )
  # In a batch, which is padded, and beside its other answers.
  batched = predictor(list(pixels))
  for one, other in zip(batched, alone, strict=True):
    _same(one, other)
  assert capsys.readouterr().out.count('Compiling for 4 images') == 1
  first, second = predictor(pixels[0], samples=2)
  _same(first, alone[0])
  assert np.mean(first.panoptic_map[0] != second.panoptic_map[0]) > 0.1
  assert '1 image at a time, 2 answers to each' in capsys.readouterr().out
  (few,) = predictor([pixels[0]], min_segment_pixels=60)
  kept = [s for s in alone[0].panoptic_map.segments if s.area >= 60]
  assert few.panoptic_map.segments == kept != alone[0].panoptic_map.segments

  # By the program, where an image's index is its place in the folder.
  output = tmp_path / 'output'
  config = predictor.config
  made = []

  def create(*arguments, **options):
    made.append((*arguments, options))
    return predictor

  monkeypatch.setattr(predictor_lib, 'create', create)
  predict.run(config, str(folder), str(output), f'{run}/ckpt-3')
  assert made == [(config, f'{run}/ckpt-3', {'verbose': False})]
  answers = predictor(paths, index=range(3))
  _same(answers[0], alone[0])
  content = json.loads((output / 'panoptic.json').read_text())
  for i, (one, entry) in enumerate(
    zip(answers, content['annotations'], strict=True)
  ):
    ids = png.read_ids(output / 'panoptic' / f'{i}.png', png.COCO)
    np.testing.assert_array_equal(ids, one.panoptic_map.segment_ids)
    found = {s['id']: s['category_id'] for s in entry['segments_info']}
    assert found == {key: c.id for key, c in one.categories.items()}
    with Image.open(output / 'overlay' / f'{i}.png') as overlay:
      np.testing.assert_array_equal(np.asarray(overlay), one.draw())
  assert 'Compiling' not in capsys.readouterr().out
  programs = predictor._programs._programs
  assert [key[-1] for key in programs] == [1, 4, 1]
  for _, program in programs.values():
    assert program.experimental_get_tracing_count() == 1

  # Of several answers segments have scores, in JSONs, too.
  for one in (first, second):
    assert set(one.scores) == {s.id for s in one.panoptic_map.segments}
    assert all(0 <= score <= 1 for score in one.scores.values())
  config.evaluation.samples = 2
  medoid = predictor(pixels[0])
  config.evaluation.samples = 1
  _same(medoid, first)  # The first of two.
  assert medoid.scores == first.scores and not alone[0].scores
  medoid.save(tmp_path / 'medoid.png')
  (entry,) = json.loads((tmp_path / 'medoid.json').read_text())['annotations']
  assert {s['id']: s['score'] for s in entry['segments_info']} == {
    key: round(score, 4) for key, score in medoid.scores.items()
  }

  # The last step of the way is the answer.
  way = predictor.trajectory(paths[0])
  assert way.steps == [1, 2]
  _same(way.predictions[1], alone[0])
  before = way.predictions[0].panoptic_map.segment_ids
  assert np.any(before != alone[0].panoptic_map.segment_ids)
  assert 'all steps, sampler ddim' in capsys.readouterr().out
  output = tmp_path / 'ways'
  predict.run(
    *(config, str(paths[0]), str(output), f'{run}/ckpt-3'), trajectory=True
  )
  with Image.open(output / 'trajectory' / '0.png') as drawing:
    np.testing.assert_array_equal(np.asarray(drawing), way.draw())

  # The frames of a video file are images, each by itself.
  path, output = tmp_path / 'clip.mp4', tmp_path / 'frames'
  video_file.save(path, [_pixels(32, 32, seed) for seed in range(2)])
  predict.run(config, str(path), str(output), f'{run}/ckpt-3')
  frames = list(video_file.Reader(path))
  for i, one in enumerate(predictor(frames, index=range(2))):
    ids = png.read_ids(output / 'panoptic' / f'{i:06d}.png', png.COCO)
    np.testing.assert_array_equal(ids, one.panoptic_map.segment_ids)
  assert len(list(video_file.Reader(output / 'overlay.mp4'))) == 2
  with pytest.raises(ValueError, match='clip.mp4 is a video: give its frames'):
    predictor(path)


@pytest.mark.slow
def test_the_frames_of_a_clip_are_tracked_as_they_come(
  tmp_path, monkeypatch, reuse_network
):
  config = tiny.experiment(
    task='video', model__past_masks=2, data__name='moving_shapes'
  )
  run = _save_run(config, tmp_path / 'run')
  predictor = predictor_lib.load(run, params_override='evaluation.seed=5')
  clip = tmp_path / 'clip'
  clip.mkdir()
  pixels = [_pixels(30, 50, seed) for seed in range(3)]
  for i, image in enumerate(pixels):
    Image.fromarray(image).save(clip / f'{i}.png')
  read = []

  def camera():
    for i, image in enumerate(pixels):
      read.append(i)
      yield image

  stream = predictor.track(camera(), seed=0)
  assert read == []
  first = next(stream)
  assert read == [0] and first.of_video
  tracked = [first, *stream]
  for one, other in zip(predictor.track(pixels, seed=0), tracked, strict=True):
    _same(one, other)
  # A frame's answer takes the past, and its place, into account.
  alone = next(predictor.track(pixels[1:], seed=0))
  assert np.mean(alone.panoptic_map[0] != tracked[1].panoptic_map[0]) > 0.1
  monkeypatch.setattr(predictor_lib, 'create', lambda *_, **__: predictor)
  predict.run(predictor.config, str(clip), str(tmp_path / 'output'), run)
  # The last step of the way to a first frame is the answer to it.
  way = predictor.trajectory(pixels[0], seed=0)
  _same(way.predictions[-1], first)

  # A video file is such a clip.
  path = tmp_path / 'clip.mp4'
  video_file.save(path, pixels)
  decoded = list(video_file.Reader(path))
  in_file = list(predictor.track(path))
  assert len(in_file) == 3
  for one, other in zip(in_file, predictor.track(decoded), strict=True):
    _same(one, other)
  output = tmp_path / 'of_file'
  arguments = predictor.config, str(path), str(output), run
  predict.run(*arguments, trajectory=True)
  content = json.loads((output / 'panoptic.json').read_text())
  assert [a['image_id'] for a in content['annotations']] == [0, 1, 2]
  for i, one in enumerate(in_file):
    ids = png.read_ids(output / 'panoptic' / f'{i:06d}.png', png.COCO)
    np.testing.assert_array_equal(ids, one.panoptic_map.segment_ids)
  assert [p.name for p in (output / 'trajectory').iterdir()] == ['000000.png']
  drawn = list(video_file.Reader(output / 'overlay.mp4'))
  assert drawn[0].shape == in_file[0].draw().shape and len(drawn) == 3
  with pytest.raises(FileExistsError, match='has panoptic, panoptic.json, ov'):
    predict.run(*arguments)
  with pytest.raises(ValueError, match='--image_list is for images, but'):
    predict.run(*arguments, image_list='a.json', overwrite=True)

  with_seed = list(predictor.track(pixels))
  for i, one in enumerate(with_seed):
    ids = png.read_ids(tmp_path / 'output' / 'panoptic' / f'{i}.png', png.COCO)
    np.testing.assert_array_equal(ids, one.panoptic_map.segment_ids)
  program, _ = predictor._programs._programs.values()
  assert program[1].experimental_get_tracing_count() == 1


def test_a_run_gives_experiment_classes_and_weights(
  run, tmp_path, reuse_network
):
  saved = [weight.numpy() for weight in tiny.build(seed=3).weights]
  found = predictor_lib.load(run)
  assert found.config == tiny.experiment()
  own = registry.class_table(found.config.data)
  assert found.classes.categories == own.categories
  for weight, expected in zip(found.model.weights, saved, strict=True):
    np.testing.assert_array_equal(weight, expected)
  # The classes, and the experiment, are those of the checkpoint's run.
  table = classes.ClassTable([classes.Category(1, 'apple', True)])
  loading.save(tiny.experiment(), str(tmp_path))
  class_file.save(table, str(tmp_path))
  model = tiny.build(seed=4)
  other = tf.train.Checkpoint(model=model).write(str(tmp_path / 'best/ckpt-1'))
  first = model.weights[0].numpy()
  override = {'evaluation.sampler.steps': 7}
  found = predictor_lib.load(run, other, override, verbose=False)
  assert not found._programs._verbose
  assert found.config.evaluation.sampler.steps == 7
  assert [c.name for c in found.classes.categories] == ['apple']
  np.testing.assert_array_equal(found.model.weights[0], first)


def _fails(error_type, sentence, function, *arguments, **options):
  with pytest.raises(error_type, match=sentence) as error:
    function(*arguments, **options)
  assert '\n' not in str(error.value)


def test_a_folder_that_is_no_run_is_refused(run, tmp_path):
  def fails(error, sentence, *arguments, **options):
    _fails(error, sentence, predictor_lib.load, *arguments, **options)

  fails(
    FileNotFoundError, 'has no experiment.yaml: give the --mod', str(tmp_path)
  )
  near = f'{run}_x'
  fails(FileNotFoundError, f"did you mean '{run}'", near)
  loading.save(tiny.experiment(), str(tmp_path))
  fails(FileNotFoundError, 'has no checkpoint yet: train it', tmp_path)
  fails(FileNotFoundError, 'no checkpoint at', run, checkpoint=f'{run}/ckpt-9')
  (tmp_path / 'ckpt-3.index').write_bytes(b'')
  fails(ValueError, 'its file "checkpoint" is missing', tmp_path)
  fails(ValueError, 'another model: model.bits', run, '', {'model.bits': 5})
  fails(ValueError, "Unknown field 'a.b'", run, '', {'a.b': 1})
  fails(ValueError, 'params_override is None; give', run, '', None)
  fails(
    ValueError,
    'params_override has evaluation.seed twice',
    *(run, '', {'evaluation': {'seed': 1}, 'evaluation.seed': 2}),
  )
  for field in ('sampler.name', 'weights', 'segments_by'):
    fails(
      ValueError,
      f"evaluation.{field} is 'x'; it must be one of",
      *(run, '', f'evaluation.{field}=x'),
    )


@pytest.mark.parametrize(
  ('image', 'options', 'sentence'),
  [
    ([], {}, 'the list of images is empty'),
    (np.zeros([4, 5, 3]), {}, r'the image is an array float64 \[4, 5, 3\]'),
    (np.zeros([4, 5], np.uint8), {}, r'give one of shape \[height, width, 3\]'),
    ([np.zeros([4, 5, 4], np.uint8)], {}, r'image 0 is an array uint8 \[4, 5'),
    (_pixels(4, 5), {'samples': 0}, 'samples is 0; it must be'),
    (_pixels(4, 5), {'steps': 0}, 'steps is 0; it must be at least 1'),
    (_pixels(4, 5), {'sampler': 'euler'}, "unknown sampler 'euler'"),
    ([_pixels(4, 5)], {'index': [1, 2]}, 'index has 2 numbers for 1 images'),
    ([_pixels(4, 5)], {'given': []}, 'given has 0 maps for 1 images'),
  ],
)
def test_bad_input_is_refused(untrained, image, options, sentence):
  _fails(ValueError, sentence, untrained(), image, **options)


def test_images_and_clips_are_not_taken_for_each_other(untrained):
  image, video = untrained(), untrained(task='video')
  frames = [_pixels(4, 5)]
  _fails(ValueError, 'is of videos: call predictor.track', video, frames[0])
  _fails(ValueError, 'is of videos: call predictor.track', video, frames)
  _fails(ValueError, 'is of images, .* predictor.image', image.track, frames)


def test_bad_trajectories_are_refused(untrained):
  image, video = untrained().trajectory, untrained(task='video').trajectory
  _fails(
    ValueError,
    'shown is 3; it must be between 1 and 2',
    *(image, _pixels(4, 5)),
    shown=[3],
  )
  _fails(ValueError, 'shown is empty', image, _pixels(4, 5), shown=())
  _fails(ValueError, 'the image is of the type list', image, [_pixels(4, 5)])
  nothing = maps.PanopticMap(np.zeros([4, 5], np.int32), [])
  _fails(
    ValueError, 'given is for images', *(video, _pixels(4, 5)), given=nothing
  )


def test_bad_clips_are_refused_before_they_begin(untrained):
  video = untrained(task='video')
  other = [_pixels(4, 5), _pixels(5, 4)]
  _fails(ValueError, 'frame 1 has 5x4 pixels, but frame 0', video.track, other)
  _fails(ValueError, 'frames are of the type str', video.track, 'clip')
  _fails(ValueError, 'frames are of the type int', video.track, 3)
  _fails(FileNotFoundError, 'there is no video at', video.track, 'clip.mp4')
  _fails(ValueError, 'the clip has no frames', video.track, [])
  _fails(ValueError, 'the clip has no frames', next, video.track(iter([])))
  _fails(ValueError, 'steps is 0', video.track, iter([]), steps=0)
  short = untrained(task='video')
  limit = short.config.evaluation.video
  limit.max_frames, limit.split = 1, False
  clip = [_pixels(4, 5)] * 2
  _fails(ValueError, 'evaluation.video.max_frames allows 1', short.track, clip)
