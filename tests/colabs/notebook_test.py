"""Tests of what notebooks need around their cells."""

import subprocess
import sys
import types
from importlib import metadata

import numpy as np
import pytest
from PIL import Image

from colabs import notebook, refresh
from panoptic import png


def _requirements():
  return (refresh.FOLDER.parent / 'requirements.txt').read_text()


def test_what_is_installed_as_pinned_is_not_installed_again():
  version = metadata.version('numpy')
  text = f'# For all.\n-c constraints.txt\nnumpy=={version}\n'
  assert notebook.unmet(text) == []
  text += 'numpy==1.0\nno_such_package==2.0\n'
  assert notebook.unmet(text) == ['numpy==1.0', 'no_such_package==2.0']


def test_packages_of_tests_are_not_for_notebooks(monkeypatch):
  monkeypatch.setattr(metadata, 'version', lambda name: '0.0.1')
  found = notebook.unmet(_requirements())
  names = {line.partition('==')[0] for line in found}
  assert {'tensorflow', 'numpy', 'pillow'} <= names
  assert not {'ipykernel', 'nbclient', 'pytest', 'ruff'} & names


def test_colab_is_told_to_restart_after_an_installation(monkeypatch):
  monkeypatch.chdir(refresh.FOLDER.parent)
  monkeypatch.setitem(sys.modules, 'google.colab', types.ModuleType('colab'))
  monkeypatch.setattr(notebook, 'unmet', lambda text: ['numpy==1.0'])
  commands = []
  monkeypatch.setattr(
    subprocess, 'run', lambda command, check: commands.append(command)
  )
  with pytest.raises(SystemExit, match='1 packages were installed: .*Restart'):
    notebook.start()
  ((*_, constraints, package),) = commands
  assert (constraints, package) == ('constraints.txt', 'numpy==1.0')
  monkeypatch.setattr(notebook, 'unmet', lambda text: [])
  notebook.start()
  assert len(commands) == 1


@pytest.mark.parametrize('place', ['.', 'colabs', 'docs/images'])
def test_the_first_cell_finds_the_project(place, monkeypatch):
  root = refresh.FOLDER.parent
  monkeypatch.chdir(root / place)
  monkeypatch.setattr(sys, 'path', sys.path[:])
  started = []
  monkeypatch.setattr(notebook, 'start', lambda: started.append(True))
  names = {}
  exec(compile(refresh.first_cell(), 'first_cell', 'exec'), names)
  assert started and names['root'] == root
  assert sys.path[0] == str(root)


def test_the_first_cell_fetches_the_project(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(sys, 'path', sys.path[:])
  monkeypatch.setattr(notebook, 'start', lambda: None)
  monkeypatch.delenv('PIX2SEQ_D_REPOSITORY', raising=False)
  code = compile(refresh.first_cell(), 'first_cell', 'exec')
  with pytest.raises(SystemExit, match='write the address.*into REPOSITORY'):
    exec(code, {})
  monkeypatch.setenv('PIX2SEQ_D_REPOSITORY', 'https://example.org/a.git')
  commands = []

  def clone(command, check):
    commands.append(command)
    command[-1].mkdir()

  monkeypatch.setattr(subprocess, 'run', clone)
  exec(code, {})
  assert commands[0][-2:] == [
    'https://example.org/a.git',
    tmp_path / 'pix2seq_d',
  ]
  # From then on it is there.
  assert refresh.FOLDER.parent.joinpath('main.py').exists()


class _Handle:
  def __init__(self):
    self.shown = []

  def update(self, picture):
    self.shown.append(picture.data)


def test_a_picture_is_shown_as_often_as_it_changes(tmp_path, monkeypatch):
  handle = _Handle()
  monkeypatch.setattr(
    notebook.display, 'display', lambda *args, **kwargs: handle
  )
  monkeypatch.setattr(notebook, '_SECONDS', 0.01)
  path = tmp_path / 'curves.png'
  with notebook.watched(path):
    pass
  assert not handle.shown
  with notebook.watched(path):
    png.save(path, Image.fromarray(np.zeros([4, 5, 3], np.uint8)))
    first = path.read_bytes()
    while not handle.shown:
      pass
    with pytest.raises(ValueError), notebook.watched(path):
      raise ValueError
    png.save(path, Image.fromarray(np.ones([9, 5, 3], np.uint8)))
  assert handle.shown[0] == first
  assert handle.shown[-1] == path.read_bytes()
