"""Tests of what is refused in a split, or warned of."""

import dataclasses

import numpy as np
import pytest
import trees

from data import check, folder, prepare, registry, sources
from data.datasets import panoptic_folder
from data.reading import split_content
from panoptic import classes as classes_lib

_CLASSES = classes_lib.ClassTable(
  [classes_lib.Category(i, f'class {i}', True) for i in range(1, 6)]
)


def _warnings(segments, count=2, **options):
  """Of images of 100 pixels; rows are image, category, crowd and area."""
  rows = np.array(segments).reshape(-1, 4)
  frames, rest = rows[:, 0], rows[:, 1:]
  return split_content.warnings(
    'val',
    [f'{i}.png' for i in range(count)],
    np.array(count * [(10, 10)], np.int32),
    np.searchsorted(frames, np.arange(count + 1)),
    np.insert(rest, 0, np.arange(1, len(rest) + 1), axis=1),
    _CLASSES,
    **options,
  )


def test_an_ordinary_split_has_no_warning():
  segments = [(0, i, 0, 20) for i in range(1, 6)] + [(1, 5, 0, 98)]
  assert _warnings(segments) == []
  # Half of the pixels may be void.
  assert _warnings([(0, i, 0, 20) for i in range(1, 6)]) == []


def test_a_split_that_is_mostly_void():
  segments = [(0, i, 0, 10) for i in range(1, 6)] + [(1, 5, 1, 90)]
  (line,) = _warnings(segments)
  assert line.startswith('warning: val: 75 % of the pixels are void or of')
  assert _warnings(segments, is_void_usual=True) == []


def test_classes_that_never_occur():
  segments = [(0, 1, 0, 60), (0, 4, 1, 40), (1, 0, 0, 1), (1, 1, 0, 98)]
  (line,) = _warnings(segments)
  assert line == (
    'warning: val: 4 of 5 classes (80.0 %) have no segment, the first being '
    'class 2, class 3, class 4'
  )


def test_images_that_one_segment_covers():
  segments = [(0, i, 0, 20) for i in range(1, 6)]
  (line,) = _warnings([*segments, (1, 3, 0, 99)], count=2)
  assert line.startswith(
    'warning: val: in 1 of 2 images (50.0 %) one segment covers 99 % of the '
    'pixels or more, the first being 1.png'
  )


def test_the_check_warns_on_the_error_stream(tmp_path, capsys):
  trees.coco(
    tmp_path,
    categories=[*trees.COCO_CATEGORIES, {'id': 3, 'name': 'car', 'isthing': 1}],
  )
  check.check('panoptic_folder', str(tmp_path))
  told = capsys.readouterr()
  assert 'warning' not in told.out
  lines = [line for line in told.err.splitlines() if 'warning' in line]
  assert lines == [
    'warning: val2017: 1 of 3 classes (33.3 %) have no segment, the first '
    'being car'
  ]


def test_most_of_davis_is_background(tmp_path, capsys):
  trees.davis(tmp_path)
  check.check('davis', str(tmp_path))
  assert 'warning' not in capsys.readouterr().err


_ALL_VOID = {
  'davis': ('val', lambda ids: np.where(ids > 0, 255, 0).astype(np.uint8)),
  'kitti_step': ('train', lambda ids: ids * 0 + np.uint8(255)),
  'cityscapes': ('val', lambda ids: ids * 0),
}


@pytest.mark.parametrize('name', _ALL_VOID)
def test_a_split_of_void_is_refused(tmp_path, name):
  """As with the masks of DAVIS 2016, of 0 and 255."""
  split, change = _ALL_VOID[name]
  root = tmp_path / 'official'
  getattr(trees, name)(root)
  spec = registry.get_files(name)
  for sample in spec.tree.list_split(str(root), split).samples:
    trees.change_labels(sample.labels, change)
  sentence = f'{split} of {root} has no segment: all its pixels are void'
  if name == 'davis':
    sentence += '.*DAVIS 2016.*255 is void in DAVIS 2017: write the object as 1'
  for refuse in (
    lambda: check.check(name, str(root)),
    lambda: prepare.prepare(name, str(root), str(tmp_path / 'packed')),
    lambda: sources.open_split(spec, str(root), split),
  ):
    with pytest.raises(ValueError, match=sentence) as error:
      refuse()
    assert '\n' not in str(error.value)


def test_names_in_records_are_those_of_results(tmp_path, monkeypatch):
  trees.coco(tmp_path)
  real = folder.open_split

  def open_split(*args):
    return dataclasses.replace(real(*args), names=('../a', '/b.PNG', 'c/d.png'))

  monkeypatch.setattr(folder, 'open_split', open_split)
  opened = sources.open_split(panoptic_folder.SPEC, str(tmp_path), 'val2017')
  assert opened.names == ('a.png', 'b.png', 'c/d.png')


def test_records_of_void_are_refused(tmp_path, monkeypatch):
  trees.coco(tmp_path / 'mine')
  for path in (tmp_path / 'mine').glob('annotations/*.json'):
    path.write_text(path.read_text().replace('"iscrowd": 0', '"iscrowd": 1'))
  with monkeypatch.context() as patch:
    patch.setattr(split_content, 'require_segments', lambda *args: None)
    arguments = str(tmp_path / 'mine'), str(tmp_path / 'packed')
    prepare.prepare('panoptic_folder', *arguments)
  with pytest.raises(ValueError, match='val2017 of .* has no segment'):
    sources.open_split(
      panoptic_folder.SPEC, str(tmp_path / 'packed'), 'val2017'
    )
