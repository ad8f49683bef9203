"""Tests of misspelt fields, however they are named."""

import copy
import pathlib
import pickle

import pytest

import configs
from configs import base


def _sections(section, name='Experiment'):
  yield name, section
  for field, value in vars(section).items():
    if isinstance(value, type(section).__mro__[1]):
      yield from _sections(value, f'{name}.{field}')


_EVERY = dict(_sections(base.Experiment()))


@pytest.mark.parametrize('name', _EVERY)
def test_every_section_refuses_a_misspelt_field(name):
  section = copy.deepcopy(_EVERY[name])
  field = next(reversed([f for f in vars(section) if f[0] != '_']))
  wrong, told = f'{field}z', f"no field '{field}z': did you mean '{field}'"
  with pytest.raises(AttributeError, match=told) as error:
    setattr(section, wrong, 5)
  assert '\n' not in str(error.value)
  with pytest.raises(AttributeError, match=told):
    getattr(section, wrong)
  with pytest.raises(TypeError, match=told):
    type(section)(**{wrong: 5})
  for strict in (True, False):
    with pytest.raises(KeyError, match='did you mean'):
      section.override({wrong: 5}, is_strict=strict)
  with pytest.raises(KeyError, match='did you mean'):
    section.replace(**{wrong: 5})
  assert section == _EVERY[name]


def test_fields_within_sections():
  config = base.Experiment()
  with pytest.raises(KeyError, match="Training has no field 'stepz'"):
    config.training = {'stepz': 5}
  with pytest.raises(KeyError, match="Training has no field 'stepz'"):
    config.override({'training': {'stepz': 5}})
  with pytest.raises(AttributeError, match='qqq.: its fields are task, model,'):
    config.qqq = 1


def test_what_sections_could_do_they_can():
  config = base.Experiment()
  config.training.steps = 7
  config.override({'data': {'dir': '/a'}})
  config.model.image_size = [32, 64]
  other = config.replace(task='video')
  assert (other.task, other.training.steps) == ('video', 7)
  assert copy.deepcopy(config) == config == pickle.loads(pickle.dumps(config))
  assert hasattr(config.training, 'steps') and not hasattr(config, 'stepz')
  assert base.Training(default_params={'steps': 9}).steps == 9
  config.lock()
  with pytest.raises(ValueError, match='locked'):
    config.task = 'video'


def test_all_experiments_are_known_from_the_start():
  folder = pathlib.Path(configs.__file__).parent
  modules = {
    path.stem
    for path in folder.glob('*.py')
    if '@exp_factory.register' in path.read_text()
  }
  assert 'shapes' in modules and modules <= set(vars(configs))
  text = (folder / '__init__.py').read_text()
  assert all(f'  {module},\n' in text for module in (*modules, 'loading'))
