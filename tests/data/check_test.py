"""Tests of the check of official files."""

import contextlib
import os
import pathlib
import tempfile

import corrupt
import pytest
import trees

from data import check, prepare
from data.datasets import panoptic_folder

IMAGE = 'val2017/000000000020.jpg'


def test_no_permission(tmp_path, monkeypatch):
  """By way of a patch, since tests may be run by root, who may read all."""
  trees.coco(tmp_path)
  real = os.scandir

  def scandir(path):
    if str(path).endswith('panoptic_val2017'):
      raise PermissionError(13, 'Permission denied', path)
    return real(path)

  monkeypatch.setattr(os, 'scandir', scandir)
  with pytest.raises(PermissionError, match='panoptic_val2017 may not be read'):
    check.check('panoptic_folder', str(tmp_path))


@pytest.fixture
def as_another_user():
  """A folder of another user's, and that user in place of root."""
  if os.geteuid():
    pytest.skip('only root can become another user')
  # Not `tmp_path`, whose parents no other user may enter.
  with tempfile.TemporaryDirectory(dir='/tmp') as folder:
    os.chmod(folder, 0o755)

    @contextlib.contextmanager
    def become():
      os.seteuid(65534)
      try:
        yield
      finally:
        os.seteuid(0)

    yield pathlib.Path(folder), become


@pytest.mark.parametrize(
  ('name', 'closed'),
  [
    ('cityscapes', 'gtFine'),
    ('cityscapes', 'leftImg8bit/train'),
    ('kitti_step', 'images'),
    ('davis', 'JPEGImages'),
    ('davis', 'ImageSets/2017/val.txt'),
    ('coco', 'annotations/panoptic_val2017.json'),
    ('coco', 'val2017'),
  ],
)
def test_what_is_closed_is_named(as_another_user, name, closed):
  root, become = as_another_user
  getattr(trees, name)(root)
  os.chmod(root / closed, 0)
  kind = 'panoptic_folder' if name == 'coco' else name
  with become(), pytest.raises(PermissionError) as error:
    check.check(kind, str(root))
  assert f'{root / closed} may not be read by this user' in str(error.value)


def test_missing_root():
  with pytest.raises(FileNotFoundError, match='nowhere does not exist'):
    check.check('panoptic_folder', 'nowhere')


def test_all_bad_files_are_listed(tmp_path):
  trees.coco(tmp_path)
  corrupt.cut(IMAGE, 0.5)(tmp_path)
  corrupt.cut('annotations/panoptic_val2017/000000000030.png', 0.5)(tmp_path)
  found = check.check('panoptic_folder', str(tmp_path), list_all=True)
  assert list(found.bad) == [
    'val2017/000000000020.png',
    'val2017/000000000030.png',
  ]
  listing = panoptic_folder.list_split(str(tmp_path), 'val2017')
  skipped = prepare.with_whole_videos({'val2017': listing.samples}, found.bad)
  assert skipped == set(found.bad)
