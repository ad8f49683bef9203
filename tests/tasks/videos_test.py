"""Tests of streaming with a small network."""

import copy

import numpy as np
import pytest
import tensorflow as tf
import tiny

from configs import base
from models import checkpoints, prng
from tasks import videos
from training import evaluator as evaluator_lib
from training import state as state_lib
from training import trainer as trainer_lib

_FRAMES = 4


def _config(num_videos=3, **changes):
  config = tiny.experiment(
    task='video', model__past_masks=2, data__name='moving_shapes'
  )
  config.data.moving_shapes = base.MovingShapes(
    size=32, frames=_FRAMES, eval_examples=num_videos, train_examples=50
  )
  tiny._change(config, changes)
  return config


def _stream(task, model):
  """All predictions: int32 `[videos, frames, h, w, 2]`."""
  rows = task.config.evaluation.batch_size
  state = task.initial_state(rows, tf.constant(0, tf.int64))
  step, settings = task.predict_step, task.config.evaluation
  # Two steps a frame take less time than their trace.
  if max(settings.sampler.steps, settings.video.first_frame_steps) > 2:
    step = tf.function(step, autograph=False)
  found = {}
  for batch in task.eval_dataset():
    outputs, state = step(model, batch, state)
    outputs = {name: value.numpy() for name, value in outputs.items()}
    for row in np.flatnonzero(outputs['valid']):
      place = int(outputs['sequence'][row]), int(outputs['frame'][row])
      assert place not in found
      found[place] = outputs['label_map'][row]
  num_videos = max(found)[0] + 1
  assert len(found) == num_videos * _FRAMES
  return np.stack(
    [[found[v, t] for t in range(_FRAMES)] for v in range(num_videos)]
  )


def _same(a, b):
  return np.mean(np.all(a == b, axis=-1))


@pytest.fixture(scope='module')
def model():
  return tiny.build(past_masks=2)


@pytest.fixture(scope='module')
def streamed(model):
  return _stream(videos.VideoTask(_config()), model)


@pytest.fixture(scope='module')
def longer_streamed(model):
  """As `streamed`, with more steps."""
  config = _config(evaluation__sampler__steps=5)
  return _stream(videos.VideoTask(config), model)


@pytest.mark.slow
def test_predictions_are_fed_back(model, streamed):
  task = videos.VideoTask(_config())
  dataset, config = task.eval_set, task.config
  seed = tf.constant(0, tf.int64)
  number = 1
  for t in range(_FRAMES):
    image = dataset.image(number * _FRAMES + t)[None] / np.float32(255)
    past = np.zeros([1, 16, 16, 4], np.int32)
    for channel, offset in ((0, -2), (2, -1)):
      if t + offset >= 0:
        past[0, ..., channel : channel + 2] = streamed[number, t + offset]
    numbers = (tf.constant([n], tf.int64) for n in (1, t))
    x_0 = model.sample(
      model.encode(tf.constant(image)),
      None,
      config.evaluation.sampler,
      tf.constant(past),
      seeds=prng.row_seeds(seed, *numbers),
    )
    assert _same(model.decode(x_0)[0], streamed[number, t]) > 0.99


@pytest.mark.slow
def test_a_video_does_not_depend_on_its_stream(model, streamed):
  for streams in (1, 2):
    task = videos.VideoTask(_config(evaluation__batch_size=streams))
    assert _same(_stream(task, model), streamed) > 0.995


@pytest.mark.slow
def test_offsets_of_past_frames(model, streamed):
  task = videos.VideoTask(_config(data__past_frames=(-3, -1)))
  assert task.initial_state(2, 0)['past_masks'].shape == (2, 3, 16, 16, 2)
  other = _stream(task, model)
  assert _same(other[:, :2], streamed[:, :2]) > 0.995  # Nothing at t - 2 yet.
  assert _same(other[:, 2:], streamed[:, 2:]) < 0.95


@pytest.mark.slow
def test_withheld_past(model, streamed):
  task = videos.VideoTask(
    _config(evaluation__video=base.Video(withhold_past=True))
  )
  alone = _stream(task, model)
  assert _same(alone[:, 0], streamed[:, 0]) > 0.995
  assert _same(alone[:, 1:], streamed[:, 1:]) < 0.9


@pytest.mark.slow
def test_chunks_remember_nothing_of_each_other(model, streamed):
  task = videos.VideoTask(_config(evaluation__video=base.Video(max_frames=3)))
  chunks = _stream(task, model)  # Of two frames each.
  assert _same(chunks[:, :2], streamed[:, :2]) > 0.995
  assert _same(chunks[:, 2:], streamed[:, 2:]) < 0.95


def test_longer_video_than_allowed():
  task = videos.VideoTask(
    _config(evaluation__video=base.Video(max_frames=3, split=False))
  )
  with pytest.raises(
    ValueError, match='sequence 000000 has 4 frames, and .* allows 3: raise'
  ):
    task.eval_dataset()


@pytest.mark.slow
def test_first_frames_have_steps_of_their_own(model, streamed, longer_streamed):
  settings = base.Video(first_frame_steps=5)
  # Two streams for three videos: one starts while the other goes on.
  config = _config(evaluation__video=settings, evaluation__batch_size=2)
  config.data.moving_shapes.frames = _FRAMES
  mixed = _stream(videos.VideoTask(config), model)
  assert _same(mixed[:, 0], longer_streamed[:, 0]) > 0.995
  assert _same(mixed[:, 0], streamed[:, 0]) < 0.95
  assert _same(mixed[:, 1:], longer_streamed[:, 1:]) < 0.95


@pytest.mark.slow
def test_video_model_begins_as_the_image_model(tmp_path):
  image_model = tiny.build(seed=7)
  prefix = tf.train.Checkpoint(model=image_model).write(str(tmp_path / 'ckpt'))
  config = _config(training__init_checkpoint=(prefix,))
  task = videos.VideoTask(config)
  built = task.build_model()
  assert 'extended by zeros: decoder/conv_in/kernel' in str(
    task.initialize(built)
  )
  alone = copy.deepcopy(config)
  alone.model.past_masks = 0
  of_frames = _stream(videos.VideoTask(alone), image_model)
  # Although it is given its predictions.
  assert _same(_stream(task, built), of_frames) > 0.995
  images, maps = tiny.batch(config.model)
  past = tf.concat([maps, maps[::-1]], axis=-1)
  x_t, gamma = tiny.noise(config.model), tf.constant([0.2, 0.9])
  np.testing.assert_array_equal(
    built.denoise(built.encode(images), x_t, gamma, past),
    image_model.denoise(image_model.encode(images), x_t, gamma),
  )
  # Training uses them at once.
  with tf.GradientTape() as tape:
    loss, _ = built.loss(
      images,
      maps,
      tf.constant([[0, 1], [0, 2]], tf.int64),
      config.loss,
      past_masks=past,
    )
  kernel = checkpoints.named_weights(built)['decoder/conv_in/kernel']
  gradient = tape.gradient(loss, kernel)
  assert np.abs(gradient[:, :, -16:]).max() > 0


def test_loss_sees_the_past():
  # A loss moves the statistics of batch norm, which others compare by.
  model = tiny.build(copy=1, past_masks=2)
  task = videos.VideoTask(_config())
  batch = next(iter(task.train_dataset(0)))
  assert batch['past_masks'].shape == (4, 16, 16, 4)
  loss, parts = task.loss(model, batch)
  assert set(parts) == set(task.loss_names)
  other = {**batch, 'past_masks': tf.zeros_like(batch['past_masks'])}
  assert loss != task.loss(model, other)[0]


def test_frames_alone_need_no_past():
  task = videos.VideoTask(_config(model__past_masks=0))
  assert 'past_masks' not in next(iter(task.train_dataset(0)))
  assert set(task.initial_state(2, tf.constant(0))) == {'seed'}


@pytest.mark.slow
def test_one_trace_for_all_frames_and_runs(model, one_device):
  task = videos.VideoTask(_config())
  traces = _count_traces(task)
  evaluator = evaluator_lib.Evaluator(task, model, one_device)
  first = evaluator.evaluate(tf.constant(-1))
  assert first['frames'] == 3 * _FRAMES and 0 <= first['STQ'] <= 100
  assert evaluator.evaluate(tf.constant(-1)) == first
  evaluator.run = 1
  second = evaluator.evaluate(tf.constant(-1))
  assert second['frames'] == first['frames'] and second != first
  assert len(traces) == 1
  # Run 1 is what its seed gives alone.
  task.config.evaluation.seed, evaluator.run = 1, 0
  assert evaluator.evaluate(tf.constant(-1)) == second


def _assert_strips(drawing):
  # Frames, truth and prediction of two videos; frames of 32x32, enlarged,
  # between titles and a legend.
  assert drawing.shape[1:] == (_FRAMES * 100 - 4, 3)
  assert 30 < drawing.shape[0] - (6 * 100 - 4) < 80


def test_videos_to_draw_are_chosen_by_their_names():
  config = _config()
  names = list(videos.VideoTask(config).eval_set.sequences)
  config.evaluation.visualized_ids = (names[2], names[0])
  task = videos.VideoTask(config)
  assert list(task._videos_to_show()) == [2, 0]
  config.evaluation.visualized_ids = ('x',)
  with pytest.raises(ValueError, match="validation has no video 'x': its vid"):
    _ = videos.VideoTask(config).eval_set


@pytest.mark.slow
def test_strips_of_a_withheld_past(model, one_device):
  config = _config(
    evaluation__video=base.Video(withhold_past=True),
    evaluation__num_visualized=2,
  )
  shown = videos.VideoTask(config).visualize(model, one_device)
  assert list(shown) == ['videos_past_withheld']
  _assert_strips(shown['videos_past_withheld'])


@pytest.mark.slow
def test_withheld_past_has_the_steps_of_a_first_frame(model, longer_streamed):
  settings = base.Video(withhold_past=True, first_frame_steps=5)
  config = _config(evaluation__video=settings)
  alone = _stream(videos.VideoTask(config), model)
  assert _same(alone[:, 0], longer_streamed[:, 0]) > 0.995
  # Later frames sample as often, but see no past.
  config.evaluation.video.first_frame_steps = 0
  config.evaluation.sampler.steps = 5
  assert _same(alone, _stream(videos.VideoTask(config), model)) > 0.995


@pytest.mark.slow
@pytest.mark.parametrize(
  'compiled', [False, pytest.param(True, marks=pytest.mark.slow)]
)
def test_drawings_are_traced_once(model, one_device, compiled):
  config = _config(evaluation__num_visualized=2, training__jit_compile=compiled)
  task = videos.VideoTask(config)
  traces = _count_traces(task)
  first = task.visualize(model, one_device)['videos']
  _assert_strips(first)
  np.testing.assert_array_equal(
    first, task.visualize(model, one_device)['videos']
  )
  assert len(traces) == 1


def _count_traces(task):
  """A list that grows by one whenever prediction is traced."""
  traces = []
  predict_step = task.predict_step

  def counted(*arguments):
    traces.append(1)
    return predict_step(*arguments)

  task.predict_step = counted
  return traces


def _collect(task, maps):
  """Makes a task's scorers keep the maps of each frame."""
  new_scorer = task.new_scorer

  def kept(run=0):
    scorer = new_scorer(run)
    update = scorer.update

    def keep(outputs):
      frames = zip(
        outputs['sequence'].tolist(), outputs['frame'].tolist(), strict=True
      )
      maps.update(zip(frames, outputs['label_map'], strict=True))
      update(outputs)

    scorer.update = keep
    return scorer

  task.new_scorer = kept


@pytest.mark.slow
def test_two_devices_score_as_one(one_device, two_cpus):
  found, seen = [], []
  for strategy in (one_device, two_cpus):
    task = videos.VideoTask(_config())
    with strategy.scope():
      network = task.build_model()
      tiny.randomize(network)
    seen.append({})
    _collect(task, seen[-1])
    evaluator = evaluator_lib.Evaluator(task, network, strategy)
    found.append(evaluator.evaluate(tf.constant(-1)))
    shown = task.visualize(network, strategy)['videos']
    assert shown.shape[1] == _FRAMES * 100 - 4
  one, two = found
  assert one['frames'] == two['frames'] == 3 * _FRAMES
  # The scores of an untrained network are all near 0; its maps are not alike.
  maps, others = seen
  assert len(maps) == 3 * _FRAMES and set(maps) == set(others)
  equal = [_same(maps[place], others[place]) for place in maps]
  assert np.mean(equal) > 0.995
  for name in ('STQ', 'AQ', 'SQ', 'VPQ'):
    assert one[name] == pytest.approx(two[name], rel=0.02, abs=1e-3)
  assert one['SQ'] > 0


@pytest.mark.slow
def test_xla_compiles_training_and_streaming(one_device):
  task = videos.VideoTask(
    _config(
      training__jit_compile=True,
      evaluation__video=base.Video(first_frame_steps=3),
    )
  )
  state = state_lib.build(task, one_device)
  trainer = trainer_lib.Trainer(task, state, one_device)
  trainer.train(tf.constant(2))
  assert trainer.first_bad_step() == -1 and trainer.output['loss'] > 0
  evaluator = evaluator_lib.Evaluator(task, state.average, one_device)
  assert evaluator.evaluate(tf.constant(-1))['frames'] == 3 * _FRAMES
