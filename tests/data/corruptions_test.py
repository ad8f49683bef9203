"""What users' files get wrong: each has one sentence that names the mend."""

import contextlib
import io
import json
import os
import pathlib
import shutil
import tempfile

import numpy as np
import pytest
import trees
from PIL import Image

from data import check, folder, prepare
from data.datasets import coco_categories, coco_panoptic, panoptic_folder

PICTURE = 'val2017/000000000020.jpg'
LABELS = 'annotations/panoptic_val2017/000000000020.png'
JSON = 'annotations/panoptic_val2017.json'


def _edit(change):
  def apply(root):
    content = json.loads((root / JSON).read_text())
    change(content)
    (root / JSON).write_text(json.dumps(content))

  return apply


def _segments(content):
  return content['annotations'][1]['segments_info']


def _cut(name, share):
  def apply(root):
    content = (root / name).read_bytes()
    (root / name).write_bytes(content[: int(len(content) * share)])

  return apply


def _write(name, content):
  return lambda root: (root / name).write_bytes(content)


def _save(name, make, kind=None):
  def apply(root):
    with Image.open(root / name) as picture:
      picture.load()
    file = io.BytesIO()
    make(picture).save(file, kind or name[-3:].replace('jpg', 'jpeg'))
    (root / name).write_bytes(file.getvalue())

  return apply


def _wide(picture):
  return Image.fromarray(np.zeros([24, 40], np.uint16))


def _nest(root):
  """The root is one level deeper than what is given."""
  entries = list(root.iterdir())
  (root / 'coco').mkdir()
  for entry in entries:
    entry.rename(root / 'coco' / entry.name)


def _rename(old, new):
  return lambda root: (root / old).rename(root / new)


def _remove(name):
  return lambda root: (root / name).unlink()


_COCO = {
  'truncated JPEG': (_cut(PICTURE, 0.6), f'{PICTURE}: .*cut short.*fetch'),
  'empty picture': (_write(PICTURE, b''), f'{PICTURE}: .*fetch it again'),
  'HTML for a picture': (
    _write(PICTURE, b'<html>' * 99),
    f'{PICTURE}: .*fetch',
  ),
  'GIF for a picture': (
    _save(PICTURE, lambda p: p, 'gif'),
    f'{PICTURE}: the image is a GIF; save',
  ),
  'truncated PNG': (_cut(LABELS, 0.7), f'{LABELS}: .*cut short; fetch'),
  'JPEG for labels': (
    _save(LABELS, lambda p: p, 'jpeg'),
    f'{LABELS}: the labels are a JPEG.*save them as PNG',
  ),
  '16-bit PNG': (_save(LABELS, _wide), f'{LABELS}: .*bit depth.*save'),
  'PNG id not in JSON': (
    _edit(lambda c: _segments(c).pop(1)),
    f'{LABELS}: segment 8 is in the PNG but not in the annotation.*add it',
  ),
  'JSON id not in PNG': (
    _edit(lambda c: _segments(c).append({**_segments(c)[0], 'id': 5})),
    f'{LABELS}: segment 5 is in the annotation but not in the PNG',
  ),
  'wrong area': (
    _edit(lambda c: _segments(c)[1].update(area=7)),
    f'{LABELS}: segment 8 has 96 pixels.* says 7; correct',
  ),
  'labels of another size': (
    _save(LABELS, lambda p: p.crop((0, 0, 30, 24))),
    f'{LABELS} is 24x30 pixels, but its image is 24x40',
  ),
  'picture of another size': (
    _save(PICTURE, lambda p: p.crop((0, 0, 40, 20))),
    f'{PICTURE}: the size differs.*20x40 instead of 24x40.*correct',
  ),
  'unknown category': (
    _edit(lambda c: _segments(c)[0].update(category_id=99)),
    f'{JSON}: category id 99 is not one of the 2 categories',
  ),
  'category id as text': (
    _edit(lambda c: _segments(c)[0].update(category_id='sky')),
    "image 20 has 'sky' for its 'category_id': write a whole number",
  ),
  'empty annotation list': (
    _edit(lambda c: c.update(annotations=[])),
    f'{JSON}: there is no annotation',
  ),
  'duplicated image id': (
    _edit(lambda c: c['images'][1].update(id=10)),
    f'{JSON}: image id 10 stands twice',
  ),
  'duplicated segment id': (
    _edit(lambda c: _segments(c)[0].update(id=8)),
    'segment ids of image 20 must .*differ',
  ),
  'shared file': (
    _edit(lambda c: c['images'][1].update(file_name='000000000010.jpg')),
    'images 10 and 20 share the file 000000000010.jpg',
  ),
  'annotation without image': (
    _edit(lambda c: c['images'].pop(1)),
    'the annotation of image 20 has no image',
  ),
  'images are no list': (
    _edit(lambda c: c.update(images=None)),
    "'images' is None: make it a list",
  ),
  'segments are no list': (
    _edit(lambda c: c['annotations'][1].update(segments_info=None)),
    "'segments_info' of image 20 is None: make it a list",
  ),
  'frame as text': (
    _edit(lambda c: c['images'][1].update(sequence='a', frame='1')),
    "image 20 has '1' for its 'frame': write a whole number",
  ),
  'color as text': (
    _edit(lambda c: c['categories'][0].update(color='#ff0000')),
    "has the color '#ff0000': write three whole numbers from 0 to 255",
  ),
  'file name as number': (
    _edit(lambda c: c['images'][1].update(file_name=5)),
    "has 5 for its 'file_name': write a text, in quotes",
  ),
  'category name as number': (
    _edit(lambda c: c['categories'][1].update(name=5)),
    "an entry of 'categories' has 5 for its 'name': write a text",
  ),
  'huge category': (
    _edit(lambda c: c['categories'][1].update(id=10**11)),
    "for its 'id': write a whole number from 1 to 1048576",
  ),
  'category 0': (
    _edit(lambda c: _segments(c)[0].update(category_id=0)),
    "image 20 has 0 for its 'category_id': write a whole number from 1",
  ),
  'huge segment id': (
    _edit(lambda c: _segments(c)[0].update(id=2**70)),
    "for its 'id': write a whole number from 1 to 16777215",
  ),
  'huge image': (
    _edit(lambda c: c['images'][1].update(height=2**40)),
    "for its 'height': write a whole number from 1 to 1048576",
  ),
  'crowd of seven': (
    _edit(lambda c: _segments(c)[0].update(iscrowd=7)),
    "image 20 has 7 for its 'iscrowd': write a whole number from 0 to 1",
  ),
  'no JSON': (_write(JSON, b'{"images": ['), f'{JSON} is not JSON'),
  'JSON of another kind': (_write(JSON, b'[]'), "has no 'images'"),
  'missing picture': (_remove(PICTURE), f'{PICTURE} does not exist: fetch'),
  'missing labels': (_remove(LABELS), f'{LABELS} does not exist: fetch'),
  'several missing': (
    lambda root: [path.unlink() for path in (root / 'val2017').iterdir()],
    'val2017/.*jpg does not exist, and 2 other images lack a file too: fetch',
  ),
  'missing folder': (
    _rename('val2017', 'val'),
    'val2017 does not exist: data.dir and the split',
  ),
  'wrong directory level': (
    _nest,
    'has no annotations/panoptic_.*it looks as if .*/coco were meant',
  ),
}


@pytest.mark.parametrize('name', _COCO)
def test_folder_in_cocos_format(tmp_path, name):
  corrupt, sentence = _COCO[name]
  trees.coco(tmp_path)
  check.check('panoptic_folder', str(tmp_path))  # All is well before.
  corrupt(tmp_path)
  with pytest.raises((ValueError, OSError), match=sentence) as error:
    check.check('panoptic_folder', str(tmp_path))
  assert '\n' not in str(error.value)


_VIDEO = {
  'missing frame': (
    lambda c: (c['images'].pop(1), c['annotations'].pop(1)),
    'frame 1 of sequence v0 is missing: number the frames without gaps',
  ),
  'frame twice': (
    lambda c: c['images'][1].update(frame=0),
    'frame 0 of sequence v0 stands twice',
  ),
  'frame without video': (
    lambda c: c['images'][1].pop('sequence'),
    'image 20 has no sequence, but others have: give it one',
  ),
  'frame without number': (
    lambda c: c['images'][1].pop('frame'),
    "image 20 has no 'frame'",
  ),
}


@pytest.mark.parametrize('name', _VIDEO)
def test_videos_in_cocos_format(tmp_path, name):
  change, sentence = _VIDEO[name]
  trees.coco(tmp_path, count=3, videos=True)
  check.check('panoptic_folder', str(tmp_path))
  _edit(change)(tmp_path)
  with pytest.raises(ValueError, match=sentence):
    check.check('panoptic_folder', str(tmp_path))


def _pixels(name, value):
  return lambda root: trees.png(root / name, value)


def _remove_folder(name):
  def apply(root):
    for path in (root / name).iterdir():
      path.unlink()
    (root / name).rmdir()

  return apply


_CITY = 'gtFine/train/aachen/aachen_000000_000010_gtFine_instanceIds.png'
_TREES = {
  'cityscapes: train ids for labels': (
    'cityscapes',
    _pixels(_CITY, np.full([32, 64], 255, np.uint16)),
    f'{_CITY}: the id 255 is no label of Cityscapes',
  ),
  'cityscapes: labels of 8 bits': (
    'cityscapes',
    _pixels(_CITY, np.full([32, 64], 7, np.uint8)),
    f'{_CITY}: .*bit depth.*16 bits',
  ),
  'cityscapes: picture without labels': (
    'cityscapes',
    _remove(_CITY),
    f'{_CITY} does not exist.*unpack',
  ),
  'cityscapes: one picture in two cities': (
    'cityscapes',
    lambda root: [
      shutil.copytree(root / part / 'train/aachen', root / part / 'train/bonn')
      for part in ('leftImg8bit', 'gtFine')
    ],
    'aachen/aachen_.*png and .*bonn/aachen_.*png are one image by name',
  ),
  'cityscapes: no gtFine': (
    'cityscapes',
    _rename('gtFine', 'gtCoarse'),
    'gtFine/train does not exist.*unpacked',
  ),
  'kitti: missing frame': (
    'kitti_step',
    lambda root: [
      _remove(f'{part}/train/0000/000002.png')(root)
      for part in ('images', 'panoptic_maps')
    ],
    'images/train/0000 lacks frame 2, between 0 and 3.*fetch',
  ),
  'kitti: sequence without annotations': (
    'kitti_step',
    _remove_folder('panoptic_maps/train/0001'),
    'sequence 0001 has no annotations; unpack them, or remove',
  ),
  'kitti: last labels missing': (
    'kitti_step',
    _remove('panoptic_maps/train/0000/000003.png'),
    'panoptic_maps/train/0000/000003.png does not exist: fetch',
  ),
  'kitti: class out of range': (
    'kitti_step',
    _pixels(
      'panoptic_maps/train/0000/000000.png', np.full([24, 80, 3], 19, np.uint8)
    ),
    '000000.png: the class 19 in R is not 0 to 18 or 255',
  ),
  'kitti: a frame of another size': (
    'kitti_step',
    lambda root: (
      trees.photo(root / 'images/train/0001/000001.png', (20, 80)),
      trees.png(
        root / 'panoptic_maps/train/0001/000001.png',
        np.zeros([20, 80, 3], np.uint8),
      ),
    ),
    '0001/000001.png is 20x80 pixels, but .*0001/000000.png of the same video '
    'is 24x80: give all its frames one size',
  ),
  'davis: missing frame': (
    'davis',
    lambda root: [path.unlink() for path in root.rglob('bear/00001.*')],
    'bear lacks frame 1, between 0 and 3',
  ),
  'davis: picture missing': (
    'davis',
    _remove('JPEGImages/480p/bear/00001.jpg'),
    'bear/00001.jpg does not exist: fetch',
  ),
  'davis: first labels missing': (
    'davis',
    _remove('Annotations/480p/bear/00000.png'),
    'bear/00000.png does not exist: fetch',
  ),
  'davis: unknown sequence': (
    'davis',
    lambda root: (root / 'ImageSets/2017/val.txt').write_text('cat\n'),
    'JPEGImages/480p/cat does not exist.*remove the name',
  ),
  'davis: sequence twice': (
    'davis',
    lambda root: (root / 'ImageSets/2017/val.txt').write_text('a\nb\na\n'),
    'val.txt lists a twice: remove one line',
  ),
  'davis: coloured labels': (
    'davis',
    _pixels('Annotations/480p/bear/00001.png', np.zeros([24, 40, 3], np.uint8)),
    '00001.png: the labels have colours; they must be one channel',
  ),
  'davis: wrong folder': (
    'davis',
    _nest,
    'does not exist: the folder must hold ImageSets/.*/coco were meant',
  ),
}


@pytest.mark.parametrize('name', _TREES)
def test_official_trees(tmp_path, name):
  dataset, corrupt, sentence = _TREES[name]
  getattr(trees, dataset)(tmp_path)
  check.check(dataset, str(tmp_path))
  corrupt(tmp_path)
  with pytest.raises((ValueError, OSError), match=sentence) as error:
    prepare.prepare(dataset, str(tmp_path), str(tmp_path / 'data'))
  assert '\n' not in str(error.value)
  written = tmp_path / 'data'
  # Nothing but the journal of the check.
  assert not written.exists() or all(
    entry.startswith('.pix2seq_d-checked') for entry in os.listdir(written)
  )


@pytest.mark.parametrize('mode', ['L', 'CMYK'])
def test_grey_and_cmyk_photos_are_fine(tmp_path, mode):
  trees.coco(tmp_path)
  _save(PICTURE, lambda picture: picture.convert(mode))(tmp_path)
  check.check('panoptic_folder', str(tmp_path))
  image = trees.opened(tmp_path).example(1)['image']
  assert image.shape == (24, 40, 3)


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


def test_a_split_of_coco_without_pictures_is_left_out(tmp_path):
  trees.coco(tmp_path)
  for path in (tmp_path / 'annotations').glob('panoptic_val2017*'):
    copy = shutil.copytree if path.is_dir() else shutil.copy
    copy(path, str(path).replace('val', 'train'))
  listed = folder.list_splits(coco_panoptic.SPEC, str(tmp_path))
  assert list(listed) == ['val2017']
  # In a set of one's own it would be a folder with another name.
  with pytest.raises(FileNotFoundError, match='train2017 does not exist'):
    folder.list_splits(panoptic_folder.SPEC, str(tmp_path))


def test_tiny_and_double_photos_are_fine(tmp_path):
  trees.coco(tmp_path)
  _save(PICTURE, lambda p: p, 'mpo')(tmp_path)
  check.check('panoptic_folder', str(tmp_path))
  _save(PICTURE, lambda p: p.crop((0, 0, 7, 5)))(tmp_path)
  _save(LABELS, lambda p: p.crop((0, 0, 7, 5)))(tmp_path)
  with pytest.raises(ValueError, match='the size differs.*5x7 instead of 24'):
    check.check('panoptic_folder', str(tmp_path))


def test_missing_root():
  with pytest.raises(FileNotFoundError, match='nowhere does not exist'):
    check.check('panoptic_folder', 'nowhere')


def test_no_manual_dir_says_what_to_fetch(tmp_path):
  with pytest.raises(ValueError, match='cannot be downloaded.*Register'):
    prepare.prepare('cityscapes', '', str(tmp_path))


def test_all_bad_files_are_listed(tmp_path):
  trees.coco(tmp_path)
  _cut(PICTURE, 0.5)(tmp_path)
  _cut('annotations/panoptic_val2017/000000000030.png', 0.5)(tmp_path)
  found = check.check('panoptic_folder', str(tmp_path), list_all=True)
  assert list(found.bad) == [
    'val2017/000000000020.png',
    'val2017/000000000030.png',
  ]
  listing = panoptic_folder.list_split(str(tmp_path), 'val2017')
  skipped = prepare.with_whole_videos({'val2017': listing.samples}, found.bad)
  assert skipped == set(found.bad)


def test_other_categories_are_not_packed_as_coco(tmp_path):
  trees.coco(tmp_path / 'mine')
  with pytest.raises(ValueError, match='--dataset=panoptic_folder'):
    prepare.prepare('coco_panoptic', str(tmp_path / 'mine'), str(tmp_path))
  assert os.listdir(tmp_path) == ['mine']


def test_coco_without_annotations_is_refused_before_it_is_packed(tmp_path):
  official = [
    {'id': c.id, 'name': c.name, 'isthing': int(c.isthing)}
    for c in coco_categories.class_table().categories
  ]
  path = trees.coco(tmp_path / 'mine', categories=official)
  content = json.loads(path.read_text())
  del content['annotations'][1]
  path.write_text(json.dumps(content))
  with pytest.raises(ValueError, match='image 20 has no annotation: remove'):
    prepare.prepare('coco_panoptic', str(tmp_path / 'mine'), str(tmp_path))
  assert os.listdir(tmp_path) == ['mine']


def test_coco_without_boxes_is_refused_before_it_is_packed(tmp_path):
  official = [
    {'id': c.id, 'name': c.name, 'isthing': int(c.isthing)}
    for c in coco_categories.class_table().categories
  ]
  path = trees.coco(tmp_path / 'mine', categories=official)
  content = json.loads(path.read_text())
  del content['annotations'][1]['segments_info'][2]['bbox']
  path.write_text(json.dumps(content))
  with pytest.raises(ValueError, match='segment 300 of image 20 has no bbox'):
    prepare.prepare('coco_panoptic', str(tmp_path / 'mine'), str(tmp_path))
  assert os.listdir(tmp_path) == ['mine']
