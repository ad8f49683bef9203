import os
import subprocess
import sys

import program
import pytest
import tensorflow as tf
import tiny
import trees
from absl import flags
from absl.testing import flagsaver

import main
from configs import loading, registered
from panoptic import classes
from tasks import class_file


@pytest.mark.parametrize(
  ('arguments', 'sentence'),
  [
    (['--experiment=nothing'], 'Unknown experiment'),
    (['--experiment=shpaes'], 'did you mean .shapes.'),
    (
      ['--data_dir=/a', '--params_override=data.dir=/b'],
      "data.dir is '/b' in --params_override and '/a' by its own flag: give",
    ),
    (
      [
        *('--experiment=cityscapes_panoptic', '--mode=inspect', '--output=x'),
        '--data_dir=/nowhere',
      ],
      '/nowhere does not exist',
    ),
    (
      ['--mode=eval', '--model_dir=x', '--init_checkpoint=/nowhere/a'],
      '/nowhere/a',
    ),
    (
      ['--mode=train', '--model_dir=x', '--checkpoint=y'],
      '--checkpoint has no meaning for --mode=train: --init_checkpoint',
    ),
    (['--params_override=training.stepz=1'], 'Unknown field'),
    (['--params_override=training.steps=0'], 'training.steps is 0'),
    (['--config_file=nowhere.yaml'], 'no configuration file'),
    (['--mode=predict'], 'no checkpoint to predict with'),
    (
      ['--mode=predict', '--image_ids=1'],
      '--image_ids has no meaning for --mode=predict: it is for evaluations',
    ),
    (['--mode=export'], 'no checkpoint to export; give --checkpoint'),
    (['--mode=export_weights'], 'no checkpoint to export; give --checkpoint'),
    (
      ['--mode=export', '--strategy=mirrored'],
      '--mode=export runs with --strategy=one_device',
    ),
    (['--params_override=data.dir=~nobody_x/y'], 'there is no such user'),
    (['--params_override=model.encoder.dim=0'], 'model.encoder.dim is 0'),
    (
      ['--params_override=optimizer.warmup_steps=50,training.steps=10'],
      'warmup_steps is 50; it must be at most training.steps = 10: set',
    ),
    (['--mode=train'], 'needs --model_dir'),
    (['--mode=inspect', f'--output={__file__}'], 'is a file: name a folder'),
    (['--mode=inspect'], 'needs --output'),
    (
      ['--mode=inspect', '--experiment=cityscapes_panoptic', '--output=x'],
      'python -m data.prepare --dataset=cityscapes',
    ),
    (['--params_override=data.past_frames=[-1,-2]'], 'the oldest frame first'),
    (['--mode=train', '--model_dir=x', '--strategy=tpu'], 'needs --tpu'),
    (['--params_override=task=movie'], 'task is .movie.; it must be one of'),
    (['--params_override=model.past_masks=2'], 'set task=.video. or'),
    (
      ['--experiment=moving_shapes', '--params_override=model.past_masks=1'],
      'model.past_masks is 1; it must be 2, one for each of',
    ),
    (
      ['--experiment=davis', '--params_override=evaluation.samples=4'],
      'evaluation.samples is 4; it must be 1 for videos',
    ),
    (
      [
        '--experiment=davis',
        '--params_override=evaluation.segments_by=class_and_id',
      ],
      "evaluation.segments_by is 'class_and_id'; it must be 'id', since J&F",
    ),
    (
      ['--experiment=davis', '--params_override=model.max_instances=256'],
      'model.max_instances is 256; it must be at most 21',
    ),
    (
      ['--params_override=data.augmentation.past_mask_dropout=2'],
      'past_mask_dropout is 2.0; it must be between 0 and 1',
    ),
  ],
)
def test_wrong_flags_end_with_one_line(arguments, sentence):
  with pytest.raises(SystemExit, match=f'^FATAL: .*{sentence}') as error:
    program.run(*arguments)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  ('flag', 'sentence'),
  [
    ('--training.steps=5', '--params_override=training.steps=VALUE'),
    ('--training.stepz=5', '--params_override=training.steps=VALUE'),
    ('--steps=5', '--params_override=training.steps=VALUE'),
    ('--learning_rate=1', '--params_override=optimizer.learning_rate=VALUE'),
  ],
)
def test_a_field_given_as_a_flag_is_told_how_to_be_set(flag, sentence):
  with pytest.raises(SystemExit, match='FATAL: Unknown flag') as error:
    main.parse(['main', flag])
  assert sentence in str(error.value) and '\n' not in str(error.value)


def test_a_misspelt_flag_names_the_nearest(capsys):
  for flag, near in (('expriment', 'experiment'), ('data_dri', 'data_dir')):
    with pytest.raises(SystemExit):
      main.parse(['main', f'--{flag}=x'])
    assert f'Did you mean: {near} ?' in capsys.readouterr().err


def test_help_lists_paths_among_the_flags():
  of_main = flags.FLAGS.get_key_flags_for_module(main)
  names = {flag.name for flag in of_main}
  assert {'data_dir', 'init_checkpoint', 'model_dir', 'mode'} <= names


@pytest.mark.slow
def test_help_lists_the_experiments_and_nothing_else_is_said():
  done = subprocess.run(
    [sys.executable, main.__file__, '--help'],
    env={k: v for k, v in os.environ.items() if k != 'TF_CPP_MIN_LOG_LEVEL'},
    capture_output=True,
    text=True,
  )
  assert done.stderr == ''
  for name, text in registered.summaries().items():
    assert f'  {name} ' in done.stdout and text in done.stdout
  assert '--data_dir' in done.stdout and '--init_checkpoint' in done.stdout


def test_a_misspelt_run_names_the_nearest(tmp_path):
  run = tmp_path / 'runs' / 'shapes'
  step = tf.train.Checkpoint(step=tf.Variable(1))
  tf.train.CheckpointManager(step, str(run), 1).save()
  for mode in ('predict', 'eval'):
    with pytest.raises(SystemExit, match=f"did you mean '{run}'?"):
      program.run(f'--mode={mode}', f'--model_dir={tmp_path}/runs/shpaes/')


def test_no_folder_is_named_like_home(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path / 'home'))
  monkeypatch.chdir(tmp_path)
  program.run('--mode=inspect', '--output=~/seen', '--num_examples=1')
  assert (tmp_path / 'home' / 'seen').is_dir()
  assert not (tmp_path / '~').exists()


def test_unknown_mode_is_refused():
  with flagsaver.flagsaver():
    with pytest.raises(flags.IllegalFlagValueError, match='train_and_eval'):
      flags.FLAGS(['main', '--mode=think'])


@pytest.mark.slow
def test_another_experiment_leaves_a_run_as_it_was(tmp_path):
  config = tiny.experiment(training__steps=1, data__shapes__thing_classes=2)
  loading.save(config, str(tmp_path))
  config_file = tmp_path / 'config.yaml'
  (tmp_path / 'experiment.yaml').rename(config_file)
  run = tmp_path / 'run'
  flags_of_run = ['--mode=train', f'--model_dir={run}']
  program.run(*flags_of_run, f'--config_file={config_file}')
  assert 'disk' in (run / 'classes.json').read_text()
  before = {path: path.read_bytes() for path in run.glob('*.*')}
  with pytest.raises(SystemExit, match='^FATAL: The run in .* another model'):
    program.run(*flags_of_run, '--experiment=shapes')
  assert {path: path.read_bytes() for path in run.glob('*.*')} == before


@pytest.mark.parametrize(
  ('arguments', 'split'),
  [
    (['--mode=train', '--model_dir={run}'], 'train'),
    (['--mode=train_and_eval', '--model_dir={run}'], 'train'),
    (['--mode=eval', '--model_dir={run}'], 'validation'),
    (['--mode=eval', '--model_dir={new}', '--checkpoint={run}'], 'validation'),
    (
      ['--mode=eval', '--model_dir={new}', '--checkpoint={run}/best'],
      'validation',
    ),
    (
      [
        *('--mode=eval', '--model_dir={new}'),
        '--params_override=training.init_checkpoint=[{run}/ckpt-1]',
      ],
      'validation',
    ),
    (['--mode=continuous_eval', '--model_dir={run}'], 'validation'),
  ],
)
def test_a_run_of_other_classes_is_refused(tmp_path, arguments, split):
  places = {'run': tmp_path / 'run', 'new': tmp_path / 'new'}
  weights = tf.train.Checkpoint(step=tf.Variable(0))
  weights.save(str(places['run'] / 'ckpt'))
  weights.save(str(places['run'] / 'best/ckpt'))
  table = classes.ClassTable([classes.Category(1, 'apple', True)])
  class_file.save(table, str(places['run']))
  arguments = [argument.format(**places) for argument in arguments]
  with pytest.raises(SystemExit) as error:
    program.run(*arguments)
  assert str(error.value).startswith(
    f"FATAL: {split} of shapes has other classes than the run's classes.json: "
    "id 1 is 'disk' (a thing) instead of 'apple' (a thing); id 2, "
  )
  assert '\n' not in str(error.value)


def test_a_damaged_class_file_is_named(tmp_path):
  tf.train.Checkpoint(step=tf.Variable(0)).save(str(tmp_path / 'ckpt'))
  for text in ('[{"id": 1', '[{"name": "apple"}]', '3'):
    (tmp_path / 'classes.json').write_text(text)
    with pytest.raises(SystemExit, match='classes.json is no table of classes'):
      program.run('--mode=eval', f'--model_dir={tmp_path}')


def test_the_classes_of_a_folder_without_a_checkpoint_do_not_count(tmp_path):
  table = classes.ClassTable([classes.Category(1, 'apple', True)])
  class_file.save(table, str(tmp_path))
  override = '--params_override=model.num_classes=2'  # The next error.
  for mode in ('train', 'train_and_eval'):
    with pytest.raises(SystemExit, match='model.num_classes is 2, but shapes'):
      program.run(f'--mode={mode}', f'--model_dir={tmp_path}', override)


def test_data_are_looked_at_before_a_run_has_begun(tmp_path):
  arguments = ['--mode=continuous_eval', f'--model_dir={tmp_path}/run']
  override = '--params_override=model.num_classes=2'
  with pytest.raises(SystemExit, match='model.num_classes is 2, but shapes'):
    program.run(*arguments, override)
  program.run(*arguments, '--timeout=0.1')  # There never is a run.


def test_a_damaged_file_ends_with_one_line(tmp_path):
  trees.coco(tmp_path)
  for path in tmp_path.glob('annotations/**/*.png'):
    content = bytearray(path.read_bytes())
    content[-30] ^= 0xFF  # One byte of the compressed pixels.
    path.write_bytes(content)
  with flagsaver.flagsaver():
    flags.FLAGS(
      [
        *('main', '--experiment=coco_panoptic_small', '--mode=inspect'),
        f'--output={tmp_path / "out"}',
        f'--params_override=data.dir={tmp_path},data.train_split=val2017',
      ]
    )
    with pytest.raises(SystemExit, match='FATAL: .*damaged.*data.check') as e:
      main.main(['main'])
  assert '\n' not in str(e.value)


def test_a_checkpoint_names_its_run(tmp_path, capsys):
  for name in ('run', 'run/best'):
    loading.save(tiny.experiment(), str(tmp_path / name))
    step = tf.train.Checkpoint(step=tf.Variable(0))
    step.save(str(tmp_path / name / 'ckpt'))
  override = '--params_override=model.num_classes=2'  # The next error.
  for checkpoint in ('run', 'run/ckpt-1', 'run/best', 'run/best/ckpt-1'):
    for mode in ('eval', 'predict'):
      arguments = [f'--mode={mode}', f'--checkpoint={tmp_path / checkpoint}']
      with pytest.raises(SystemExit, match='another model: model.num_classes'):
        program.run(*arguments, override)
      assert 'is the one stored in' in capsys.readouterr().out
  with pytest.raises(SystemExit, match='--mode=eval needs --model_dir'):
    program.run('--mode=eval', f'--checkpoint={tmp_path}')


def test_a_stored_run_needs_no_experiment(tmp_path, capsys):
  loading.save(tiny.experiment(task='video'), str(tmp_path))
  for mode in ('predict', 'eval', 'continuous_eval'):
    arguments = [f'--mode={mode}', f'--model_dir={tmp_path}']
    with pytest.raises(SystemExit):
      program.run(*arguments, '--strategy=tpu')  # Refused later.
    told = capsys.readouterr().out
    assert f'The experiment is the one stored in {tmp_path}.' in told
