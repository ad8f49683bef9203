"""Tests of misspelt fields, however they are named."""

import copy
import functools
import os
import pathlib
import pickle

import numpy as np
import pytest

import configs
from configs import base, loading


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


@pytest.mark.parametrize(
  ('section', 'field', 'value', 'sentence'),
  [
    ('Training', 'steps', '5', 'a whole number'),
    ('Training', 'steps', 5.0, 'a whole number'),
    ('Training', 'steps', True, 'a whole number'),
    ('Training', 'steps', None, 'a whole number'),
    ('Training', 'steps', 0, 'at least 1'),
    ('Training', 'steps', {'a': 1}, 'a whole number'),
    ('Training', 'jit_compile', 1, 'true or false'),
    ('Training', 'init_checkpoint', 'a', 'a list'),
    ('Model', 'image_size', 64, 'a list'),
    ('Model', 'image_size', [64], 'a list of 2'),
    ('Model', 'conditioning', ['concat', 1], 'a text'),
    ('Sampler', 'td', 'x', 'a number'),
    ('Experiment', 'model', None, 'a section of fields'),
    ('Experiment', 'training', 5, 'a section of fields'),
    ('Experiment', 'model', base.Training(), 'a section of fields'),
  ],
)
def test_every_way_to_set_a_field_refuses_a_wrong_value(
  section, field, value, sentence
):
  config = getattr(base, section)()
  before = copy.deepcopy(config)
  told = f'^{section}.{field} is .*; it must be {sentence}'
  for change in (
    lambda: setattr(config, field, value),
    lambda: config.override({field: value}),
    lambda: config.override({field: value}, is_strict=False),
    lambda: config.replace(**{field: value}),
    lambda: type(config)(**{field: value}),
  ):
    if section == 'Experiment' and isinstance(value, base.Training):
      change = functools.partial(setattr, config, field, value)
    with pytest.raises(ValueError, match=told) as error:
      change()
    assert '\n' not in str(error.value)
  assert config == before


def test_values_get_the_types_of_their_fields():
  config = base.Experiment()
  config.model.image_size = [32, np.int64(64)]
  config.evaluation.sampler.td = 2
  config.evaluation.sampler.steps = np.int32(7)
  config.override({'optimizer': {'learning_rate': np.float32(0.5)}})
  config.data.dir = '~/a'
  config.data.past_frames = np.array([-2, -1])
  assert config.model.image_size == (32, 64)
  assert type(config.evaluation.sampler.td) is float
  assert type(config.evaluation.sampler.steps) is int
  assert config.optimizer.learning_rate == 0.5
  assert config.data.dir == os.path.expanduser('~/a')
  assert config.data.past_frames == (-2, -1)
  loading.plain(config)
  config.data.shapes = {'size': 32}
  config.model = base.Model(bits=4)
  assert (config.data.shapes.size, config.model.bits) == (32, 4)


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
