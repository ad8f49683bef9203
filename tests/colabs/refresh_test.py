"""Tests of the notebooks: what is stored, and that they run."""

import json
import pathlib
import re

import nbformat
import pytest

import main  # noqa: F401  Registers the experiments.
from colabs import notebook, refresh
from configs import loading

_ROOT = refresh.FOLDER.parent


def _read(name):
  return nbformat.read(refresh.path_of(name), as_version=4)


def _code(name):
  return [cell for cell in _read(name).cells if cell.cell_type == 'code']


def test_all_notebooks_are_refreshed():
  found = {path.stem for path in refresh.FOLDER.glob('*.ipynb')}
  assert found == set(refresh.NAMES)


@pytest.mark.parametrize('name', refresh.NAMES)
def test_stored_notebooks_are_clean(name):
  stored, cells = _read(name), _code(name)
  nbformat.validate(stored)
  assert cells[0].source == refresh.first_cell()
  counts = [cell.execution_count for cell in cells]
  assert counts == list(range(1, len(cells) + 1))
  outputs = [output for cell in cells for output in cell.outputs]
  assert {o.output_type for o in outputs} <= {
    'stream',
    'display_data',
    'execute_result',
  }
  assert not any(cell.metadata for cell in stored.cells)
  assert 'WARNING:' not in nbformat.writes(stored)
  before = nbformat.writes(stored)
  refresh.clean(stored, name, [str(_ROOT), str(pathlib.Path.home()), '/tmp/'])
  assert nbformat.writes(stored) == before
  pictures = [o for o in outputs if 'image/png' in o.get('data', {})]
  assert len(pictures) >= 2


@pytest.mark.parametrize('name', refresh.NAMES)
def test_cells_are_short_and_use_public_names(name):
  for cell in _code(name)[1:]:
    assert len(cell.source.splitlines()) <= 26, cell.source
    assert not re.search(r'\b\w+\._[a-z]', cell.source), cell.source


@pytest.mark.parametrize('name', refresh.NAMES)
def test_prose_names_what_exists(name):
  for cell in _read(name).cells:
    if cell.cell_type == 'code':
      continue
    for link in re.findall(r'\]\((?!http|#)([^)#]+)', cell.source):
      assert (refresh.FOLDER / link).exists(), link
    for experiment in re.findall(r'--experiment=(\w+)', cell.source):
      assert loading.load(experiment)


def _notebook(*outputs):
  cell = nbformat.v4.new_code_cell('1', execution_count=1)
  cell.metadata['execution'] = {'iopub.status.busy': '2020-01-01'}
  cell.outputs = [nbformat.from_dict(output) for output in outputs]
  made = nbformat.v4.new_notebook(cells=[cell])
  made.metadata['kernelspec'] = {'name': 'mine', 'path': '/home/me'}
  return made


def _stream(text, name='stdout'):
  return {'output_type': 'stream', 'name': name, 'text': text}


def test_what_belongs_to_a_machine_is_removed():
  picture = {
    'output_type': 'display_data',
    'metadata': {},
    'data': {'image/png': 'a', 'image/jpeg': 'b', 'text/plain': '<Image>'},
  }
  empty = {**picture, 'data': {'text/markdown': ''}}
  made = _notebook(
    _stream('a line\n'), _stream('W0000 00:00', 'stderr'), picture, empty
  )
  refresh.clean(made, 'one', ['/home/me'])
  text = nbformat.writes(made)
  assert '/home/me' not in text and 'iopub' not in text
  (cell,) = made.cells
  lines, shown = cell.outputs
  assert lines.text == 'a line\n'
  assert set(shown.data) == {'image/png', 'text/plain'}


@pytest.mark.parametrize(
  ('text', 'sentence'),
  [
    ('in /home/me/runs', 'one: the output of cell 0 holds /home/me'),
    ('a' * 1_600_000, 'one would have 1,600,.* bytes, more than 1,500,000'),
  ],
)
def test_what_must_not_be_stored_is_refused(text, sentence):
  with pytest.raises(ValueError, match=sentence):
    refresh.clean(_notebook(_stream(text)), 'one', ['/home/me'])


def test_a_notebook_is_replaced_when_it_has_run(tmp_path, monkeypatch):
  monkeypatch.setattr(refresh, 'path_of', lambda name: tmp_path / f'{name}.x')
  paper, video = tmp_path / 'paper.x', tmp_path / 'video.x'
  video.write_text('as before')

  def execute(name):
    if name == 'video':
      raise ValueError('no')
    return _notebook(_stream('a line\n'))

  monkeypatch.setattr(refresh, 'execute', execute)
  with pytest.raises(ValueError, match="'vidoe' is no notebook: choose of qu"):
    list(refresh.run(['paper', 'vidoe']))
  assert not paper.exists()
  with pytest.raises(ValueError, match='no'):
    list(refresh.run(['paper', 'video']))
  assert json.loads(paper.read_text())['cells']
  assert video.read_text() == 'as before'


@pytest.mark.slow
@pytest.mark.parametrize('name', refresh.NAMES)
def test_notebooks_run_without_a_network(name, monkeypatch):
  monkeypatch.setenv(notebook.QUICK, '1')
  for scheme in ('http', 'https', 'all'):
    monkeypatch.setenv(f'{scheme}_proxy', 'http://127.0.0.1:9')
  before = refresh.path_of(name).read_bytes()
  stored, run = _read(name).cells, refresh.execute(name).cells
  for one, other in zip(stored, run, strict=True):
    assert one.source == other.source
    if one.cell_type == 'code':
      kinds = [[o.output_type for o in c.outputs] for c in (one, other)]
      assert kinds[0] == kinds[1], one.source
  assert refresh.path_of(name).read_bytes() == before
