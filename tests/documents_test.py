"""What README and docs tell people to type must exist."""

import json
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
import trees

import main  # noqa: F401  Registers the experiments.
from configs import loading
from data import check
from models import pix2seq_d
from tasks import factory

_ROOT = pathlib.Path(main.__file__).parent
_DOCUMENTS = [
  *_ROOT.glob('*.md'),
  *_ROOT.glob('docs/*.md'),
  *_ROOT.glob('benchmarks/*.md'),
]
_TEXTS = {str(p.relative_to(_ROOT)): p.read_text() for p in _DOCUMENTS}


def _commands(text):
  """The lines of a text, continued ones joined, with shell variables filled."""
  values, lines = {}, []
  for line in text.replace('\\\n', ' ').splitlines():
    for name, value in values.items():
      line = line.replace(f'${name}', value)
    if assigned := re.fullmatch(r'([A-Z]+)=(\S+)', line):
      values[assigned[1]] = assigned[2]
    lines.append(line)
  return lines


@pytest.mark.parametrize('name', _TEXTS)
def test_commands_name_experiments_and_fields_that_exist(name):
  for line in _commands(_TEXTS[name]):
    overrides = re.findall(r'--params_override=["]?([^\s`"]+)', line)
    found = re.findall(r'--experiment=(\w+)', line)
    if not overrides and not found:
      continue
    config = loading.load(found[0] if found else 'shapes')
    for override in overrides:
      for field in re.findall(r'(?:^|,)([a-z_]+(?:\.[a-z_0-9]+)+)=', override):
        part = config
        for key in field.split('.'):
          assert hasattr(part, key), f'{name}: {field}'
          part = getattr(part, key)


@pytest.mark.parametrize('name', _TEXTS)
def test_commands_fit_on_a_screen(name):
  for block in re.findall(r'```bash\n(.*?)```', _TEXTS[name], re.DOTALL):
    for line in block.splitlines():
      assert len(line) <= 100, f'{name}: {line}'


@pytest.mark.parametrize('name', _TEXTS)
def test_links_and_modules_exist(name):
  folder = (_ROOT / name).parent
  for link in re.findall(r'\]\((?!http|#)([^)#]+)', _TEXTS[name]):
    assert (folder / link).exists(), f'{name}: {link}'
  for module in re.findall(r'python -m ([\w.]+)', _TEXTS[name]):
    if module not in ('venv', 'pytest'):
      path = _ROOT / module.replace('.', '/')
      assert path.with_suffix('.py').exists(), f'{name}: {module}'


@pytest.mark.slow
def test_a_set_of_ones_own_passes_its_check_and_is_trained_on(
  tmp_path, monkeypatch
):
  text = _TEXTS['docs/data.md']
  (described,) = re.findall(r'```json\n(.*?)```', text, re.DOTALL)
  (code,) = re.findall(r'```python\n(.*?)```', text, re.DOTALL)
  masks = tmp_path / 'mine/annotations/panoptic_train'
  images = tmp_path / 'mine/train'
  for folder in (masks, images):
    folder.mkdir(parents=True)
  masks.with_suffix('.json').write_text(described)
  trees.save_image(images / 'first.jpg', (480, 640))
  monkeypatch.chdir(masks)
  names = {}
  exec(compile(code, 'docs/data.md', 'exec'), names)
  assert names['entry'] == json.loads(described)['annotations'][0]
  monkeypatch.chdir(tmp_path)
  check.check('panoptic_folder', 'mine')
  lines = '\n'.join(_commands(text))
  overrides = re.findall(r'small --mode=inspect .*override=(\S+)', lines)
  assert len(overrides) == 2 and 'panoptic_folder' in overrides[1]
  config = loading.load('coco_panoptic_small', '', overrides[0])
  batch = next(iter(factory.create(config).train_dataset(0)))
  assert set(np.unique(batch['label_map'][..., 0])) == {0, 1, 2}
  # And as a video of one frame.
  content = json.loads(described)
  content['images'][0].update(sequence='walk', frame=0)
  masks.with_suffix('.json').write_text(json.dumps(content))
  check.check('panoptic_folder', 'mine')
  config = loading.load('kitti_step_small', '', overrides[1])
  batch = next(iter(factory.create(config).train_dataset(0)))
  assert set(np.unique(batch['label_map'][..., 0])) == {0, 1, 2}
  assert not batch['past_masks'].numpy().any()


@pytest.mark.slow
def test_notebook_code_runs(tmp_path, monkeypatch):
  (code,) = re.findall(r'```python\n(.*?)```', _TEXTS['README.md'], re.DOTALL)
  config = loading.load('shapes')
  loading.save(config, str(tmp_path / 'runs' / 'shapes'))
  model = pix2seq_d.Pix2SeqD(config.model)
  model.build_weights()
  checkpoint = tf.train.Checkpoint(model=model, ema=model)
  manager = tf.train.CheckpointManager(
    checkpoint, str(tmp_path / 'runs' / 'shapes'), max_to_keep=1
  )
  manager.save()
  monkeypatch.chdir(tmp_path)
  names = {}
  exec(compile(code, 'README.md', 'exec'), names)
  assert names['segment_ids'].shape == (64, 64)
  assert (tmp_path / 'scene.png').exists()
