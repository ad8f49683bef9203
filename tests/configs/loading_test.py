import pytest
import yaml
from official.core import exp_factory

from configs import base, loading
from training import validation


@exp_factory.register_config_factory('loop_test')
def _loop_test():
  return base.Experiment()


def test_overrides_come_in_order(tmp_path):
  path = tmp_path / 'change.yaml'
  path.write_text('training: {steps: 7, batch_size: 4}\n')
  config = loading.load(
    'loop_test',
    str(path),
    'training.steps=9,optimizer.learning_rate=1e-4,model.image_size=[32,64],'
    'model.mask_size=[16,32],'
    'model.prediction=x,evaluation.sampler.td=2',
  )
  assert config.training.steps == 9
  assert config.training.batch_size == 4
  assert config.optimizer.learning_rate == 1e-4
  assert config.model.image_size == (32, 64)
  assert config.model.parameterization == 'x'
  assert config.evaluation.sampler.td == 2.0
  validation.validate(config)


@pytest.mark.parametrize(
  ('override', 'sentence'),
  [
    ('training.stepz=1', "'training.stepz'.*did you mean 'training.steps'"),
    ('training.steps.x=1', 'training.steps.x'),
    ('training=3', 'training is 3; it must be a section of fields'),
    ('training.steps=many', "training.steps is 'many'; .* a whole number"),
    ('training.steps=1.5', 'training.steps is 1.5; .* a whole number'),
    ('training.steps=0', 'training.steps is 0; it must be at least 1'),
    ('training.jit_compile=1', 'training.jit_compile .* true or false'),
    ('model.image_size=[1,2,3]', 'model.image_size .* a list of 2'),
    ('model.image_size=64', 'model.image_size .* a list'),
    ('no sense', 'Cannot read --params_override'),
  ],
)
def test_wrong_override_is_one_sentence(override, sentence):
  with pytest.raises(ValueError, match=sentence) as error:
    loading.load('loop_test', params_override=override)
  assert '\n' not in str(error.value)


def test_overrides_may_be_a_dictionary():
  for values in (
    {'training.steps': 9, 'model.mask_size': [16, 32], 'model.prediction': 'x'},
    {'training': {'steps': 9}, 'model': {'mask_size': (16, 32)}}
    | {'model.prediction': 'x'},
  ):
    config = loading.load('loop_test', params_override=values)
    assert config.training.steps == 9
    assert config.model.mask_size == (16, 32)
    assert config.model.parameterization == 'x'


@pytest.mark.parametrize(
  ('values', 'sentence'),
  [
    ({'training.stepz': 1}, "'training.stepz' in params_override; did you"),
    ({'training.steps.x': 1}, "Unknown field 'training.steps.x'"),
    ({'training': 3}, 'training is 3; it must be a section of fields'),
    ({'training': 3, 'training.steps': 3}, 'has training.steps twice'),
    ({'training.steps': 3, 'training': {'steps': 3}}, 'has training twice'),
    ({1: 2}, "Unknown field '1'"),
    (['training.steps=3'], r"params_override is \['training.steps=3'\]; give"),
    (None, 'params_override is None; give a text'),
  ],
)
def test_wrong_dictionaries_are_one_sentence(values, sentence):
  with pytest.raises(ValueError, match=sentence) as error:
    loading.load('loop_test', params_override=values)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  ('text', 'sentence'),
  [
    ('training: &a {steps: *a}', 'training.steps.steps'),
    ('training: &a\n  training: *a', 'training.training.training'),
    ('model: &a {image_size: [*a, 3]}', 'model.image_size .* a whole number'),
    ('training: {steps: 2024-01-02}', 'training.steps is .* a whole number'),
    ('training: {steps: 2024-99-99}', 'is not a YAML file: month'),
    ('training: {steps: !!timestamp abc}', 'is not a YAML file'),
    ('data: {dir: 2024-01-02}', 'data.dir is .* a text'),
    ('data: {name: []}', 'data.name is .* a text'),
    ('training: {steps: []}', 'training.steps is .* a whole number'),
    ('model: {image_size: [[1], [2]]}', 'model.image_size is .* a whole'),
    ('training: [1]', 'training is .* a section of fields'),
    ('training:', 'training is None; it must be a section of fields'),
    ('training: {1: 2}', "Unknown field 'training.1'"),
    ('training.steps: 5', "'training.steps' .* within its sections"),
    ('training: {_locked: 1}', 'training._locked'),
    ('[' * 1200, 'is not a YAML file'),
    ('a: &a [x, x]\nb: &b [*a, *a]\ntask: [*b, *b]', "'a'"),
  ],
)
def test_strange_files_are_one_sentence(tmp_path, text, sentence):
  path = tmp_path / 'strange.yaml'
  path.write_text(text)
  with pytest.raises(ValueError, match=sentence) as error:
    loading.load('loop_test', str(path))
  assert '\n' not in str(error.value)
  assert len(str(error.value)) < 500


def test_a_file_that_is_no_text(tmp_path):
  path = tmp_path / 'image.yaml'
  path.write_bytes(b'\x89PNG\xff\x00')
  with pytest.raises(ValueError, match='image.yaml is not a YAML file'):
    loading.load('loop_test', str(path))
  with pytest.raises(FileNotFoundError, match='no configuration file'):
    loading.load('loop_test', str(tmp_path))


def test_home_folders_of_paths(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  config = loading.load(
    'loop_test',
    params_override='data.dir=~/coco,training.init_checkpoint=[~/a,gs://b/~/c]',
  )
  assert config.data.dir == f'{tmp_path}/coco'
  assert config.training.init_checkpoint == (f'{tmp_path}/a', 'gs://b/~/c')
  with pytest.raises(ValueError, match='data.dir: ~nobody_x/y begins with'):
    loading.load('loop_test', params_override='data.dir=~nobody_x/y')


def test_fields_that_have_flags_come_last(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  path = tmp_path / 'change.yaml'
  path.write_text('data: {dir: /file}\ntraining: {init_checkpoint: [/file]}\n')
  fields = {'data.dir': '~/flag', 'training.init_checkpoint': ['~/a', '/b']}

  def load(override='', **arguments):
    arguments = {'fields': fields, **arguments}
    config = loading.load('loop_test', str(path), override, **arguments)
    return config.data.dir, config.training.init_checkpoint

  wanted = f'{tmp_path}/flag', (f'{tmp_path}/a', '/b')
  assert load() == wanted
  assert load(stored={'data': {'dir': '/stored'}}) == wanted
  # The same value twice is no clash.
  assert load(f'data.dir={tmp_path}/flag,training.steps=3') == wanted
  assert load('training.init_checkpoint=[~/a,/b]') == wanted
  assert load(fields={'training.init_checkpoint': []})[1] == ()
  for override in ('data.dir=/other', "data.dir=''"):
    with pytest.raises(ValueError, match='data.dir is .* in --params_overr'):
      load(override)
  with pytest.raises(ValueError, match='init_checkpoint is .* give it once'):
    load('training.init_checkpoint=[/b]')
  with pytest.raises(ValueError, match='init_checkpoint is .* a list'):
    load(fields={'training.init_checkpoint': '/a'})


@pytest.mark.parametrize(
  ('override', 'near'),
  [
    ('steps=5', "'training.steps' or 'evaluation.sampler.steps'"),
    ('training.learning_rate=1', "'optimizer.learning_rate'"),
    ('model.dim=64', "'model.encoder.dim' or 'model.decoder.dim'"),
    ('evaluation.td=1', "'evaluation.sampler.td'"),
  ],
)
def test_a_field_of_another_section_is_named(override, near):
  with pytest.raises(ValueError, match=f'did you mean {near}') as error:
    loading.load('loop_test', params_override=override)
  assert '\n' not in str(error.value)


def test_unknown_experiment_lists_the_known():
  with pytest.raises(ValueError, match="Unknown experiment 'x'.*loop_test"):
    loading.load('x')


def test_missing_and_unsafe_files(tmp_path):
  with pytest.raises(FileNotFoundError, match='nowhere.yaml'):
    loading.load('loop_test', str(tmp_path / 'nowhere.yaml'))
  path = tmp_path / 'unsafe.yaml'
  path.write_text('training: !!python/object/apply:os.getcwd []\n')
  with pytest.raises(ValueError, match='unsafe.yaml is not a YAML file'):
    loading.load('loop_test', str(path))


def test_saved_experiment_is_safe_yaml_and_loads_back(tmp_path):
  config = base.Experiment()
  config.training.steps = 77
  loading.save(config, str(tmp_path))
  values = yaml.safe_load((tmp_path / 'experiment.yaml').read_text())
  assert values['model']['image_size'] == [256, 256]
  loaded = loading.load('loop_test', str(tmp_path / 'experiment.yaml'))
  assert loaded.as_dict() == config.as_dict()


def test_another_model_is_refused_by_name_of_field(tmp_path):
  config = base.Experiment()
  loading.check_same_model(config, str(tmp_path))
  loading.save(config, str(tmp_path))
  config.training.steps += 1
  loading.check_same_model(config, str(tmp_path))
  config.model.encoder.dim = 8
  with pytest.raises(
    ValueError, match='model.encoder.dim is 512 there and 8 here'
  ):
    loading.check_same_model(config, str(tmp_path))


_OLD_NAMES = """
model: {prediction: sigmoid}
data:
  augmentation: {withheld_past: 0.25}
training: {pictures_every: 30}
evaluation: {num_pictures: 3}
"""


def _renamed_fields(config):
  return (
    config.model.parameterization,
    config.data.augmentation.past_mask_dropout,
    config.training.visualize_every,
    config.evaluation.num_visualized,
  )


def test_old_names_of_fields_are_read(tmp_path):
  path = tmp_path / 'old.yaml'
  path.write_text(_OLD_NAMES)
  config = loading.load('loop_test', str(path))
  assert _renamed_fields(config) == ('sigmoid', 0.25, 30, 3)
  config = loading.load(
    'loop_test',
    str(path),
    'model.prediction=x,data.augmentation.withheld_past=0,'
    'training.pictures_every=1,evaluation.num_visualized=2',
  )
  assert _renamed_fields(config) == ('x', 0.0, 1, 2)
  loading.save(config, str(tmp_path))
  values = yaml.safe_load((tmp_path / 'experiment.yaml').read_text())
  assert values['model']['parameterization'] == 'x'
  assert 'prediction' not in values['model']


def test_old_and_new_name_together_are_refused(tmp_path):
  path = tmp_path / 'both.yaml'
  path.write_text('model: {prediction: x, parameterization: eps}')
  with pytest.raises(ValueError, match="'model.prediction' and 'model.param"):
    loading.load('loop_test', str(path))


def test_a_run_stored_with_old_names_has_the_same_model(tmp_path):
  config = base.Experiment()
  loading.save(config, str(tmp_path))
  path = tmp_path / 'experiment.yaml'
  text = path.read_text()
  assert text.count('parameterization') == 1
  path.write_text(text.replace('parameterization', 'prediction'))
  loading.check_same_model(config, str(tmp_path), resumes=True)
  config.model.parameterization = 'x'
  with pytest.raises(
    ValueError, match='model.parameterization is softmax there and x here'
  ):
    loading.check_same_model(config, str(tmp_path))


def test_frozen_weights_must_stay_frozen_in_training(tmp_path):
  config = base.Experiment()
  loading.save(config, str(tmp_path))
  config.training.freeze_encoder = True
  loading.check_same_model(config, str(tmp_path))
  with pytest.raises(ValueError, match='freeze_encoder is False there and Tru'):
    loading.check_same_model(config, str(tmp_path), resumes=True)


def test_a_run_from_before_a_field_was_added(tmp_path):
  config = base.Experiment()
  loading.save(config, str(tmp_path))
  path = tmp_path / 'experiment.yaml'
  text = path.read_text()
  assert '  self_conditioning: false\n' in text
  path.write_text(text.replace('  self_conditioning: false\n', ''))
  loading.check_same_model(config, str(tmp_path))
  config.model.self_conditioning = True
  with pytest.raises(ValueError, match='self_conditioning is False there'):
    loading.check_same_model(config, str(tmp_path))


def test_added_fields_are_told_where_they_are_used():
  config = base.Experiment()
  assert 'stride' not in loading.with_old_names(config)['model']['decoder']
  config.model.decoder.stride = 2
  assert loading.with_old_names(config)['model']['decoder']['stride'] == 2
  assert 'samples' not in loading.with_old_names(config)['evaluation']
  config.evaluation.samples = 4
  assert loading.with_old_names(config)['evaluation']['samples'] == 4
