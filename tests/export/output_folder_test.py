"""Tests of folders that are written whole."""

import os
import uuid

import pytest

from export import output_folder
from panoptic import files


@pytest.fixture(params=['local', 'remote'])
def parent(request, tmp_path):
  if request.param == 'local':
    return str(tmp_path / 'a')
  return f'ram://{uuid.uuid4().hex}/a'


def _write(folder, fails=False):
  with output_folder.written(folder) as temporary:
    files.make_folders(os.path.join(temporary, 'deep'))
    files.write_text(os.path.join(temporary, 'deep', 'er.txt'), 'one')
    files.write_text(os.path.join(temporary, 'top.txt'), 'two')
    assert not files.exists(os.path.join(folder, 'top.txt'))
    if fails:
      raise ValueError('fails')


@pytest.mark.parametrize('end', ['', '/'])
def test_it_is_there_once_it_is_whole(parent, end):
  folder = os.path.join(parent, 'b')
  with pytest.raises(ValueError, match='fails'):
    _write(folder + end, fails=True)
  assert not [entry.name for entry in files.scan(parent)]
  output_folder.check(folder + end, 'export')
  _write(folder + end)
  assert [entry.name for entry in files.scan(parent)] == ['b']
  assert sorted(e.name for e in files.scan(folder)) == ['deep', 'top.txt']
  assert files.read_text(os.path.join(folder, 'deep', 'er.txt')) == 'one'
  with pytest.raises(FileExistsError, match='b/? is not empty: choose'):
    output_folder.check(folder + end, 'export')


def test_an_empty_folder_may_be_there(tmp_path):
  folder = tmp_path / 'empty'
  folder.mkdir()
  output_folder.check(str(folder), 'export')
  _write(str(folder))
  assert sorted(path.name for path in folder.iterdir()) == ['deep', 'top.txt']


def test_no_folder():
  with pytest.raises(ValueError, match='--mode=export needs --output'):
    output_folder.check('', 'export')
