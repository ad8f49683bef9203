"""Tests of looking at folders."""

import os

import pytest

from data.reading import paths


def test_missing_files_are_found_in_their_folders(tmp_path):
  for name in ('a/1.png', 'a/2.png', 'b/1.png'):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text('x')
  names = ('a/2.png', 'b/2.png', 'c/1.png', 'a/1.png/0', 'b/1.png')
  files = [str(tmp_path / name) for name in names]
  assert paths.missing(files) == files[1:4]
  stamps = paths.stamps(files)
  assert stamps[1:4] == [None] * 3
  status = os.stat(files[0])
  assert stamps[0] == (1, status.st_mtime_ns)


def test_a_link_to_nowhere_is_no_file(tmp_path):
  (tmp_path / 'link').symlink_to(tmp_path / 'nowhere')
  assert paths.stamps([str(tmp_path / 'link')]) == [None]
  (tmp_path / 'nowhere').write_text('abc')
  assert paths.stamps([str(tmp_path / 'link')])[0][0] == 3


def test_a_folder_is_listed_once(tmp_path, monkeypatch):
  files = [str(tmp_path / f'{i}') for i in range(9)]
  calls = []
  scan = os.scandir
  monkeypatch.setattr(
    os, 'scandir', lambda path: calls.append(path) or scan(path)
  )
  assert len(paths.missing(files)) == 9
  assert paths.stamps(files) == [None] * 9
  assert len(calls) == 2


def test_names_are_sorted_and_folders_told_apart(tmp_path):
  for name in ('b', 'a'):
    (tmp_path / name).mkdir()
  (tmp_path / 'aa').write_text('')
  assert paths.listing(str(tmp_path)) == ['a', 'aa', 'b']
  assert paths.folders(str(tmp_path)) == ['a', 'b']
  with pytest.raises(NotADirectoryError, match='aa is a file, but must be'):
    paths.listing(str(tmp_path / 'aa'))
