"""Tests of taking the experiment from a stored run."""

import pytest
import yaml

from configs import loading, run_settings


@pytest.fixture
def run(tmp_path):
  """A run of another number of sampling steps and seed."""
  config = loading.load('coco_panoptic_small')
  config.evaluation.sampler.steps = 300
  config.training.seed = 77
  loading.save(config, str(tmp_path / 'run'))
  loading.save(config, str(tmp_path / 'run/best'))
  return tmp_path / 'run'


def _choose(name='', checkpoint='', model_dir='', **arguments):
  return run_settings.choose(name, str(checkpoint), str(model_dir), **arguments)


def test_without_a_run_the_experiment_is_registered(tmp_path):
  config, line = _choose(model_dir=tmp_path)
  assert config.as_dict() == loading.load('shapes').as_dict()
  assert line == 'The experiment is shapes.'
  config, line = _choose('davis', tmp_path / 'ckpt-1')
  assert config.data.name == 'davis' and 'davis' in line


def test_a_run_is_used_as_it_was_stored(run):
  for places in (
    {'model_dir': run},
    {'checkpoint': run},
    {'checkpoint': run / 'ckpt-5'},
    {'checkpoint': run / 'best/ckpt-5', 'model_dir': run.parent},
  ):
    config, line = _choose(**places)
    assert config.data.name == 'coco_panoptic'
    assert config.evaluation.sampler.steps == 300
    assert config.training.seed == 77
    assert line.startswith('The experiment is the one stored in ')
    assert str(run) in line


def test_the_best_checkpoint_is_of_the_run_above(run):
  (run / 'best/experiment.yaml').unlink()
  config, _ = _choose(checkpoint=run / 'best/ckpt-5')
  assert config.training.seed == 77


def test_files_and_overrides_come_last(run, tmp_path):
  path = tmp_path / 'changes.yaml'
  path.write_text('evaluation: {sampler: {steps: 7, td: 3.0}}')
  for name in ('', 'coco_panoptic_small'):
    config, _ = _choose(
      name,
      model_dir=run,
      config_file=str(path),
      params_override='evaluation.sampler.td=4.0',
      with_evaluation=True,
    )
    assert config.evaluation.sampler.steps == 7
    assert config.evaluation.sampler.td == 4.0


def test_flags_of_fields_apply_to_a_stored_run(run):
  fields = {'data.dir': '/flag'}
  for name in ('', 'coco_panoptic_small'):
    config, _ = _choose(name, run / 'best', fields=fields, with_evaluation=True)
    assert config.data.dir == '/flag'
    assert config.evaluation.sampler.steps == 300


def test_the_run_of_a_checkpoint(run, tmp_path, monkeypatch):
  for checkpoint in ('', '/', '/ckpt-5', '/best', '/best/', '/best/ckpt-5'):
    assert run_settings.folder_of_run(f'{run}{checkpoint}') == str(run)
  monkeypatch.chdir(run)
  assert run_settings.folder_of_run('best') == '.'
  assert run_settings.folder_of_run('best/ckpt-5') == '.'
  assert run_settings.folder_of_run('ckpt-5') == '.'
  (run / 'experiment.yaml').unlink()
  best = str(run / 'best')
  assert run_settings.folder_of_run(best) == best
  for checkpoint in ('', str(tmp_path), str(tmp_path / 'a' / 'ckpt-1')):
    assert run_settings.folder_of_run(checkpoint) == ''


def test_of_a_named_experiment_evaluation_alone_is_stored(run):
  config, line = _choose('coco_panoptic_small', model_dir=run)
  assert config.evaluation.sampler.steps != 300
  assert line == 'The experiment is coco_panoptic_small.'
  config, line = _choose(
    'coco_panoptic_small', model_dir=run, with_evaluation=True
  )
  assert config.evaluation.sampler.steps == 300
  assert config.training.seed != 77
  assert line.endswith(f'with the evaluation settings stored in {run}.')
  # Those of another model mean nothing.
  config, line = _choose('shapes', model_dir=run, with_evaluation=True)
  assert config.as_dict() == loading.load('shapes').as_dict()
  assert line == 'The experiment is shapes.'


def test_runs_of_other_versions_are_read(run, capsys):
  path = run / 'experiment.yaml'
  values = yaml.safe_load(path.read_text())
  values['model']['prediction'] = values['model'].pop('parameterization')
  values['evaluation']['gone'] = 1
  values['forgotten'] = {'a': 1}
  path.write_text(yaml.safe_dump(values))
  config, _ = _choose(model_dir=run)
  assert config.evaluation.sampler.steps == 300
  told = capsys.readouterr().err
  assert told.count('\n') == 1
  assert 'no longer exist' in told and 'evaluation.gone' in told
  assert 'forgotten' in told
