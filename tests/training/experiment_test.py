import pytest
import yaml
from official.core import exp_factory

from configs import base, validation
from training import experiment


@exp_factory.register_config_factory('loop_test')
def _loop_test():
  return base.Experiment()


def test_overrides_come_in_order(tmp_path):
  path = tmp_path / 'change.yaml'
  path.write_text('training: {steps: 7, batch_size: 4}\n')
  config = experiment.load(
    'loop_test',
    str(path),
    'training.steps=9,optimizer.learning_rate=1e-4,model.image_size=[32,64],'
    'model.prediction=x,evaluation.sampler.td=2',
  )
  assert config.training.steps == 9
  assert config.training.batch_size == 4
  assert config.optimizer.learning_rate == 1e-4
  assert config.model.image_size == (32, 64)
  assert config.model.prediction == 'x'
  assert config.evaluation.sampler.td == 2.0
  validation.validate(config)


@pytest.mark.parametrize(
  ('override', 'sentence'),
  [
    ('training.stepz=1', "'training.stepz'.*did you mean 'training.steps'"),
    ('training.steps.x=1', 'training.steps.x'),
    ('training=3', "Unknown field 'training'"),
    ('training.steps=many', "training.steps is 'many'; .* a whole number"),
    ('training.steps=1.5', 'training.steps is 1.5; .* a whole number'),
    ('training.jit_compile=1', 'training.jit_compile .* true or false'),
    ('model.image_size=[1,2,3]', 'model.image_size .* a list of 2'),
    ('model.image_size=64', 'model.image_size .* a list'),
    ('no sense', 'Cannot read --params_override'),
  ],
)
def test_wrong_override_is_one_sentence(override, sentence):
  with pytest.raises(ValueError, match=sentence) as error:
    experiment.load('loop_test', params_override=override)
  assert '\n' not in str(error.value)


def test_unknown_experiment_lists_the_known():
  with pytest.raises(ValueError, match="Unknown experiment 'x'.*loop_test"):
    experiment.load('x')


def test_missing_and_unsafe_files(tmp_path):
  with pytest.raises(FileNotFoundError, match='nowhere.yaml'):
    experiment.load('loop_test', str(tmp_path / 'nowhere.yaml'))
  path = tmp_path / 'unsafe.yaml'
  path.write_text('training: !!python/object/apply:os.getcwd []\n')
  with pytest.raises(ValueError, match='unsafe.yaml is not a YAML file'):
    experiment.load('loop_test', str(path))


def test_saved_experiment_is_safe_yaml_and_loads_back(tmp_path):
  config = base.Experiment()
  config.training.steps = 77
  experiment.save(config, str(tmp_path))
  values = yaml.safe_load((tmp_path / 'experiment.yaml').read_text())
  assert values['model']['image_size'] == [256, 256]
  loaded = experiment.load('loop_test', str(tmp_path / 'experiment.yaml'))
  assert loaded.as_dict() == config.as_dict()


def test_another_model_is_refused_by_name_of_field(tmp_path):
  config = base.Experiment()
  experiment.check_same_model(config, str(tmp_path))
  experiment.save(config, str(tmp_path))
  config.training.steps += 1
  experiment.check_same_model(config, str(tmp_path))
  config.model.encoder.dim = 8
  with pytest.raises(
    ValueError, match='model.encoder.dim is 512 there and 8 here'
  ):
    experiment.check_same_model(config, str(tmp_path))


def test_frozen_weights_must_stay_frozen_in_training(tmp_path):
  config = base.Experiment()
  experiment.save(config, str(tmp_path))
  config.training.freeze_encoder = True
  experiment.check_same_model(config, str(tmp_path))
  with pytest.raises(ValueError, match='freeze_encoder is False there and Tru'):
    experiment.check_same_model(config, str(tmp_path), resumes=True)


@pytest.mark.parametrize(
  ('field', 'value', 'sentence'),
  [
    ('training.steps', 0, 'training.steps is 0; it must be at least 1'),
    ('data.eval_examples', 0, 'eval_examples is 0; it must be at least 1'),
    ('model.decoder.head_dim', 0, 'head_dim is 0; it must be at least 1'),
    ('training.batch_size', 6, 'a multiple of 4 = 2 replicas x 2'),
    ('evaluation.batch_size', 3, 'a multiple of 2, the number of replicas'),
    ('training.precision', 'fp16', "training.precision is 'fp16'"),
    ('optimizer.schedule', 'step', "'constant', 'linear', 'cosine'"),
    ('optimizer.ema_decay', 1.0, 'below 1'),
    ('optimizer.warmup_steps', 2000, 'at most training.steps = 1000'),
    ('model.bits', 6, 'enough to write 133'),
    ('model.conditioning', ('film',), "'concat', 'attention' or"),
    ('evaluation.sampler.name', 'euler', "'ddim'"),
    ('evaluation.sampler.td', -1.0, 'at least 0'),
  ],
)
def test_validation(field, value, sentence):
  config = base.Experiment()
  config.optimizer.accumulation_steps = 2
  validation.validate(config, num_replicas=2)
  part = config
  *parents, name = field.split('.')
  for parent in parents:
    part = getattr(part, parent)
  setattr(part, name, value)
  with pytest.raises(ValueError, match=sentence) as error:
    validation.validate(config, num_replicas=2)
  assert '\n' not in str(error.value)
