import json
import resource
import shlex
import signal

import loop_fakes
import numpy as np
import pytest
import tensorflow as tf

from panoptic.console import command_line
from training import checkpointing, evaluation, run
from training import strategy as strategy_lib
from training.run_folder import json_lines, lock


def _steps(folder):
  return sorted(
    int(path.stem.split('-')[1]) for path in folder.glob('ckpt-*.index')
  )


def _metrics(folder):
  lines = (folder / 'metrics.jsonl').read_text().splitlines()
  return {json.loads(line)['step']: json.loads(line) for line in lines}


def _points(folder):
  """What TensorBoard shows of a folder: tags with their steps."""
  return sorted(
    (value.tag, event.step)
    for path in folder.glob('events*')
    for event in tf.compat.v1.train.summary_iterator(str(path))
    for value in event.summary.value
  )


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


@pytest.mark.slow
def test_after_any_kill_a_folder_is_as_if_nothing_had_happened(
  one_device, tmp_path, monkeypatch
):
  config = loop_fakes.config(
    training__steps=8, training__visualize_every=2, evaluation__every=8
  )

  def train(name):
    task = loop_fakes.FakeTask(config)
    run.train(task, one_device, str(tmp_path / name), evaluate=True)

  def killed_in(owner, name, at_call):
    calls = []

    def count(*args, **kwargs):
      calls.append(None)
      if len(calls) == at_call:
        raise KeyboardInterrupt
      return wrapped(*args, **kwargs)

    wrapped = getattr(owner, name)
    with monkeypatch.context() as patch:
      patch.setattr(owner, name, count)
      with pytest.raises(KeyboardInterrupt):
        train('cut')

  train('whole')
  whole, cut = tmp_path / 'whole', tmp_path / 'cut'
  killed_in(checkpointing.Saver, 'save', 2)  # Step 4 is drawn and logged.
  assert ('answers', 4) in _points(cut / 'pictures')
  killed_in(json_lines, 'append', 1)  # Step 8 is scored, drawn and copied.
  assert (cut / 'best' / 'ckpt-8.index').exists()
  # What a kill leaves, but an exception does not.
  (cut / 'ckpt-9_temp').mkdir()
  (cut / 'metrics.jsonl').write_text('{"step": 8, "metr')
  (cut / f'experiment.yaml.{"0" * 32}.tmp').touch()
  train('cut')

  def names(folder):
    paths = {str(p.relative_to(folder)) for p in folder.rglob('*')}
    return {path for path in paths if 'events' not in path}

  assert names(cut) == names(whole)
  assert _metrics(cut) == _metrics(whole)
  for folder in ('eval', 'pictures'):
    assert _points(cut / folder) == _points(whole / folder)
  points = [p for p in _points(cut / 'train') if p[0] == 'loss']
  assert points == sorted(set(points)) and points[-1] == ('loss', 8)


@pytest.mark.slow
def test_other_evaluations_of_a_finished_run(one_device, tmp_path, capsys):
  def train(**changes):
    config = loop_fakes.config(training__steps=2, **changes)
    task = loop_fakes.FakeTask(config, scores=[0.5])
    run.train(task, one_device, str(tmp_path), evaluate=True)
    return len(task.seen)

  def lines():
    return json_lines.read(str(tmp_path / 'metrics.jsonl'))

  assert train()
  stored = (tmp_path / 'experiment.yaml').read_bytes()
  best = (tmp_path / 'best' / 'score.json').read_bytes()
  # A record without settings was made by the run's.
  [line] = lines()
  line = {key: line[key] for key in ('step', 'metrics')}
  (tmp_path / 'metrics.jsonl').write_text(f'{json.dumps(line)}\n')
  capsys.readouterr()
  assert not train(evaluation__batch_size=2, optimizer__beta_1=0.5)
  assert 'have no effect: optimizer.beta_1.' in capsys.readouterr().out
  assert train(evaluation__segments_by='class_and_id')
  assert 'no effect' not in capsys.readouterr().out
  assert [
    line.get('evaluation', {}).get('segments_by') for line in lines()
  ] == [
    None,
    'class_and_id',
  ]
  assert not train(evaluation__segments_by='class_and_id')
  assert train(data__eval_examples=3)
  assert [line.get('eval_examples') for line in lines()] == [None, None, 3]
  assert (tmp_path / 'experiment.yaml').read_bytes() == stored
  assert (tmp_path / 'best' / 'score.json').read_bytes() == best


def test_not_a_number_is_never_the_best(one_device, tmp_path, capsys):
  config = loop_fakes.config(training__steps=2, evaluation__every=1)
  task = loop_fakes.FakeTask(config, scores=[np.nan, 0.1])
  (tmp_path / 'best').mkdir(parents=True)
  score = {'step': 0, 'metric': 'score', 'value': np.nan}
  (tmp_path / 'best' / 'score.json').write_text(json.dumps(score))
  assert checkpointing.BestCheckpoint(str(tmp_path), 'score').value < 0
  run.train(task, one_device, str(tmp_path / 'run'), True)
  assert (
    'step 1 | score nan | the score is not a num' in capsys.readouterr().out
  )
  score = json.loads((tmp_path / 'run' / 'best' / 'score.json').read_text())
  assert score['step'] == 2


def test_a_full_disk_leaves_the_last_checkpoint(one_device, tmp_path):
  task = loop_fakes.FakeTask(loop_fakes.config(training__steps=4))
  run.train(task, one_device, str(tmp_path))
  task.config.training.steps = 8
  limits = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limits[1]))
  try:
    with pytest.raises(SystemExit, match='cannot be written: File too large'):
      command_line.run(
        ['main'], lambda: run.train(task, one_device, str(tmp_path)) and None
      )
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
  assert _steps(tmp_path) == [4]
  assert not list(tmp_path.glob('*temp*')) and not list(tmp_path.glob('*tmp*'))
  assert int(run.train(task, one_device, str(tmp_path)).step) == 8


def test_progress_lines(one_device, tmp_path, capsys):
  run.train(loop_fakes.FakeTask(loop_fakes.config()), one_device, str(tmp_path))
  output = capsys.readouterr().out
  assert 'Started at step 0 from fresh weights.' in output
  assert (tmp_path / 'initialization.txt').read_text() == 'fresh weights.'
  # A line a log step, and none of Orbit's.
  progress, closing = output.split('The run has:\n')
  steps = [line for line in progress.splitlines() if 'step' in line][1:]
  assert [line.split(' |')[0] for line in steps] == [
    *('step 1/12', 'step 4/12', 'step 8/12', 'step 12/12')
  ]
  assert all('steps/s' in line and 'left' in line for line in steps[1:])
  paths, commands = closing.split('Next:\n')
  names = [line.split()[0] for line in paths.splitlines()]
  assert names == [str(tmp_path / 'curves.png'), str(tmp_path / 'training.csv')]
  assert [line.split()[2] for line in commands.splitlines()[:2]] == [
    *('--mode=eval', '--mode=predict')
  ]
  assert commands.count(f'--model_dir={tmp_path}') == 2


def test_an_evaluated_run_ends_with_its_scores_and_pictures(
  one_device, tmp_path, capsys
):
  folder = tmp_path / 'my run'
  config = loop_fakes.config(training__steps=2)
  run.train(loop_fakes.FakeTask(config), one_device, str(folder), evaluate=True)
  output = capsys.readouterr().out
  scores, closing = output.split('The run has:\n')
  assert 'step 2 | evaluating\nstep 2 | score ' in scores
  assert scores.splitlines()[-1].startswith('  error ')
  paths, commands = closing.split('Next:\n')
  for name in ('metrics.jsonl', 'pictures', 'curves.png', 'best'):
    assert f'  {folder}/{name} ' in paths
  assert '--mode=eval' not in commands
  [line] = [line for line in commands.splitlines() if 'predict' in line]
  assert f'--model_dir={folder}' in shlex.split(line)
  evaluation.evaluate(
    loop_fakes.FakeTask(config), one_device, str(folder), str(folder / 'best')
  )
  output = capsys.readouterr().out
  assert f'{folder}/eval.jsonl ' in output and 'eval |' not in output
  assert f"--checkpoint='{folder}/best'" in output


def test_values_of_log_steps_are_kept_once_across_a_resumption(
  one_device, tmp_path
):
  config = loop_fakes.config(training__log_every=2, training__steps=4)
  run.train(loop_fakes.FakeTask(config), one_device, str(tmp_path))
  path = tmp_path / 'training.csv'
  first = path.read_text()
  names, *lines = first.splitlines()
  assert names == (
    'step,loss,squared,absolute,gradient_norm,learning_rate,steps_per_second'
  )
  assert [line.split(',')[0] for line in lines] == ['1', '2', '4']
  assert lines[0].endswith(',') and float(lines[1].split(',')[-1]) > 0
  # As after a kill past the checkpoint, in the midst of a line.
  path.write_text(f'{first}6,1,1,1,1,1,1\n8,1,1')
  config.training.steps = 8
  run.train(loop_fakes.FakeTask(config), one_device, str(tmp_path))
  text = path.read_text()
  assert text.startswith(first)
  steps = [line.split(',')[0] for line in text.splitlines()[1:]]
  assert steps == ['1', '2', '4', '5', '6', '8']
  assert (tmp_path / 'curves.png').exists()


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


def test_a_second_process_is_refused_and_changes_nothing(one_device, tmp_path):
  with lock.RunLock(str(tmp_path)):
    with pytest.raises(ValueError, match='^process .* trains in .* since'):
      run.train(
        loop_fakes.FakeTask(loop_fakes.config()), one_device, str(tmp_path)
      )
    assert [path.name for path in tmp_path.iterdir()] == [lock.FILE]


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
  task.config.training.steps = 1
  run.train(task, one_device, str(tmp_path / 'shapes_a'))
  (tmp_path / 'shapes_b').mkdir()
  with pytest.raises(
    FileNotFoundError, match="'.*shapes_c' .did you mean .*shapes_a'"
  ):
    evaluation.evaluate(task, one_device, str(tmp_path / 'shapes_c'))
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
