import json
import signal

import loop_fakes
import numpy as np
import pytest
import tensorflow as tf

from training import evaluation, run
from training import strategy as strategy_lib


def _steps(folder):
  return sorted(
    int(path.stem.split('-')[1]) for path in folder.glob('ckpt-*.index')
  )


def _metrics(folder):
  lines = (folder / 'metrics.jsonl').read_text().splitlines()
  return {json.loads(line)['step']: json.loads(line) for line in lines}


def _tags(folder):
  """The names of all that TensorBoard shows of a folder."""
  return {
    value.tag
    for path in folder.glob('events*')
    for event in tf.compat.v1.train.summary_iterator(str(path))
    for value in event.summary.value
  }


@pytest.mark.slow
def test_train_and_evaluate_keeps_the_last_and_the_best(one_device, tmp_path):
  config = loop_fakes.config(
    evaluation__every=4, training__keep_checkpoints=2, training__steps=14
  )
  task = loop_fakes.FakeTask(config, scores=[0.2, 0.7, 0.1, 0.3])
  state = run.train(task, one_device, str(tmp_path), evaluate=True)
  assert int(state.step) == 14
  assert _steps(tmp_path) == [12, 14]
  assert _steps(tmp_path / 'best') == [8]
  score = json.loads((tmp_path / 'best' / 'score.json').read_text())
  assert score == {'step': 8, 'metric': 'score', 'value': 0.7}
  assert list(_metrics(tmp_path)) == [4, 8, 12, 14]
  assert (tmp_path / 'pictures' / 'answers-14.png').exists()
  assert _tags(tmp_path / 'train') == {
    *('loss', 'squared', 'absolute', 'gradient_norm', 'learning_rate'),
    *('steps_per_second', 'seconds_per_step'),
  }
  assert 'score' in _tags(tmp_path / 'eval')
  assert _tags(tmp_path / 'pictures') == {'answers'}
  best = tf.train.latest_checkpoint(str(tmp_path / 'best'))
  assert tf.train.load_variable(best, 'step/.ATTRIBUTES/VARIABLE_VALUE') == 8
  # Nothing is left to be done the second time.
  task = loop_fakes.FakeTask(config)
  run.train(task, one_device, str(tmp_path), evaluate=True)
  assert not task.seen


def test_a_folder_that_has_lost_its_state_is_not_begun_anew(
  one_device, tmp_path
):
  config = loop_fakes.config()
  run.train(loop_fakes.FakeTask(config), one_device, str(tmp_path))
  (tmp_path / 'checkpoint').unlink()
  kept = _steps(tmp_path)
  with pytest.raises(ValueError, match='has ckpt-12, but its file'):
    run.train(loop_fakes.FakeTask(config), one_device, str(tmp_path))
  assert _steps(tmp_path) == kept


@pytest.mark.slow
def test_scores_cut_short_by_a_kill_are_made_again(one_device, tmp_path):
  config = loop_fakes.config(evaluation__every=6)
  run.train(loop_fakes.FakeTask(config), one_device, str(tmp_path), True)
  path = tmp_path / 'metrics.jsonl'
  whole = path.read_text()
  path.write_text(whole[:-2])  # It ends like a line, but is none.
  for _ in range(2):
    run.train(loop_fakes.FakeTask(config), one_device, str(tmp_path), True)
    lines = path.read_text().splitlines()
    assert [json.loads(line)['step'] for line in lines] == [6, 12]


def test_progress_lines(one_device, tmp_path, capsys):
  run.train(loop_fakes.FakeTask(loop_fakes.config()), one_device, str(tmp_path))
  output = capsys.readouterr().out
  assert 'Started at step 0 from fresh weights.' in output
  assert (tmp_path / 'initialization.txt').read_text() == 'fresh weights.'
  assert 'step 1/12 |' in output
  assert 'step 8/12 |' in output
  assert 'steps/s' in output and 'left' in output and 'loss' in output


def test_what_a_run_starts_from(one_device, tmp_path, capsys):
  config = loop_fakes.config()
  shapes = [[4, 8], [8], [8], [8], [8], [8, 1], [1]]
  random = np.random.default_rng(1)
  values = {
    f'w{i}': random.uniform(0.5, 1.0, shape) for i, shape in enumerate(shapes)
  }
  config.training.init_checkpoint = (str(tmp_path / 'weights.npz'),)
  np.savez(config.training.init_checkpoint[0], **values)
  # A tiny rate keeps weights and averages at what they began with.
  config.optimizer.learning_rate = 1e-12
  config.optimizer.ema_decay = 0.0
  config.training.steps = 1
  folder = tmp_path / 'run'
  state = run.train(loop_fakes.FakeTask(config), one_device, str(folder))
  assert 'weights.npz: 7 weights.' in capsys.readouterr().out
  listing = folder / 'initialization.txt'
  assert listing.read_text().split('\n') == [
    w.name for w in state.model.weights
  ]
  for model in (state.model, state.average):
    np.testing.assert_allclose(model.weights[0], values['w0'], rtol=1e-5)
  config.training.steps = 2
  state = run.train(loop_fakes.FakeTask(config), one_device, str(folder))
  assert 'ckpt-1 at step 1.' in capsys.readouterr().out
  assert int(state.step) == 2


def test_scores_of_a_run_that_is_gone_are_not_taken_for_new(
  one_device, tmp_path
):
  config = loop_fakes.config()
  run.train(loop_fakes.FakeTask(config), one_device, str(tmp_path), True)
  for path in [*tmp_path.glob('ckpt-*'), tmp_path / 'checkpoint']:
    path.unlink()
  with pytest.raises(ValueError, match='metrics.jsonl and best of a run whose'):
    run.train(loop_fakes.FakeTask(config), one_device, str(tmp_path), True)
  for name in ('metrics.jsonl', 'best'):
    (tmp_path / name).rename(tmp_path / f'old-{name}')
  run.train(loop_fakes.FakeTask(config), one_device, str(tmp_path), True)
  assert list(_metrics(tmp_path)) == [12]


def test_another_model_does_not_resume(one_device, tmp_path):
  config = loop_fakes.config()
  run.train(loop_fakes.FakeTask(config), one_device, str(tmp_path))
  config.model.bits = 7
  with pytest.raises(ValueError, match='model.bits is 8 there and 7 here'):
    run.train(loop_fakes.FakeTask(config), one_device, str(tmp_path))
  with pytest.raises(ValueError, match='model.bits'):
    evaluation.evaluate(loop_fakes.FakeTask(config), one_device, str(tmp_path))


def test_stops_at_nan_and_names_the_last_good_checkpoint(one_device, tmp_path):
  task = loop_fakes.FakeTask(loop_fakes.config(), nan_at=6)
  with pytest.raises(
    FloatingPointError, match='step 7 is not finite.*ckpt-4'
  ) as error:
    run.train(task, one_device, str(tmp_path))
  assert '\n' not in str(error.value)
  assert _steps(tmp_path) == [4]


def test_sigterm_saves_and_the_run_goes_on_bit_for_bit(one_device, tmp_path):
  config = loop_fakes.config(training__checkpoint_every=100)

  def weights(folder, **options):
    task = loop_fakes.FakeTask(config, **options)
    state = run.train(task, one_device, str(folder))
    return loop_fakes.weights(state)

  uninterrupted = weights(tmp_path / 'a')
  handler = signal.getsignal(signal.SIGTERM)
  stopped = weights(tmp_path / 'b', signal_at=(5, signal.SIGTERM))
  assert signal.getsignal(signal.SIGTERM) == handler
  # The data are read ahead of the steps.
  assert stopped[-1] in (4, 8)
  assert _steps(tmp_path / 'b') == [stopped[-1]]
  resumed = weights(tmp_path / 'b')
  for a, b in zip(uninterrupted, resumed, strict=True):
    np.testing.assert_array_equal(a, b)


def test_evaluate_scores_averages_or_weights(one_device, tmp_path):
  config = loop_fakes.config(optimizer__ema_decay=0.9, evaluation__every=12)
  run.train(
    loop_fakes.FakeTask(config), one_device, str(tmp_path), evaluate=True
  )
  trained = _metrics(tmp_path)[12]['metrics']
  scores = evaluation.evaluate(
    loop_fakes.FakeTask(config), one_device, str(tmp_path)
  )
  assert scores == pytest.approx(trained)
  config.evaluation.weights = 'online'
  scores = evaluation.evaluate(
    loop_fakes.FakeTask(config), one_device, str(tmp_path / 'x'), str(tmp_path)
  )
  assert scores['error'] != pytest.approx(trained['error'])


def test_evaluate_without_a_checkpoint(one_device, tmp_path):
  task = loop_fakes.FakeTask(loop_fakes.config())
  with pytest.raises(FileNotFoundError, match='train first'):
    evaluation.evaluate(task, one_device, str(tmp_path))
  with pytest.raises(FileNotFoundError, match='There is no checkpoint'):
    evaluation.evaluate(
      task, one_device, str(tmp_path), str(tmp_path / 'ckpt-3')
    )


def test_continuous_eval_scores_new_checkpoints_only(one_device, tmp_path):
  config = loop_fakes.config()
  run.train(loop_fakes.FakeTask(config), one_device, str(tmp_path))
  evaluation.continuous_eval(
    loop_fakes.FakeTask(config), one_device, str(tmp_path), timeout=1
  )
  assert list(_metrics(tmp_path)) == [12]
  assert _steps(tmp_path / 'best') == [12]
  task = loop_fakes.FakeTask(config)
  evaluation.continuous_eval(task, one_device, str(tmp_path), timeout=1)
  assert not task.seen


@pytest.mark.slow
def test_continuous_eval_says_what_else_is_missing(
  one_device, tmp_path, monkeypatch
):
  task = loop_fakes.FakeTask(loop_fakes.config())
  run.train(task, one_device, str(tmp_path))

  def new_scorer(run=0):
    raise tf.errors.NotFoundError(None, None, 'photo.jpg')

  monkeypatch.setattr(task, 'new_scorer', new_scorer)
  with pytest.raises(tf.errors.NotFoundError, match='photo.jpg'):
    evaluation.continuous_eval(task, one_device, str(tmp_path), timeout=1)


@pytest.mark.parametrize(
  ('arguments', 'sentence'),
  [
    (('cluster',), 'Unknown strategy'),
    (('tpu',), 'needs --tpu'),
    (('multi_worker',), 'TF_CONFIG'),
    (('one_device', '', 2), '--num_virtual_devices'),
  ],
)
def test_wrong_strategies(arguments, sentence):
  with pytest.raises(ValueError, match=sentence):
    strategy_lib.create(*arguments)
