"""Tests of folders in COCO's format, and of what users' files get wrong.

Each error has one sentence that names the fix.
"""

import re

import corrupt
import numpy as np
import pytest
import trees
from PIL import Image

from configs import base
from data import check, prepare, registry
from data.datasets import coco_categories

IMAGE = 'val2017/000000000020.jpg'
LABELS = 'annotations/panoptic_val2017/000000000020.png'
JSON = 'annotations/panoptic_val2017.json'


def _edit(change):
  return corrupt.edit(JSON, change)


def _segments(content):
  return content['annotations'][1]['segments_info']


def _wide(image):
  return Image.fromarray(np.full([24, 40], 40000, np.uint16))


_COCO = {
  'truncated JPEG': (
    corrupt.cut(IMAGE, 0.6),
    f'{IMAGE}: .*cut short.*fetch',
  ),
  'empty image': (
    corrupt.write(IMAGE, b''),
    f'{IMAGE}: .*fetch it again',
  ),
  'HTML for an image': (
    corrupt.write(IMAGE, b'<html>' * 99),
    f'{IMAGE}: .*fetch',
  ),
  'GIF for an image': (
    corrupt.save(IMAGE, lambda p: p, 'gif'),
    f'{IMAGE}: the image is a GIF; save',
  ),
  'truncated PNG': (corrupt.cut(LABELS, 0.7), f'{LABELS}: .*cut short; fetch'),
  'JPEG for labels': (
    corrupt.save(LABELS, lambda p: p, 'jpeg'),
    f'{LABELS}: the labels are a JPEG.*save them as PNG',
  ),
  '16-bit PNG': (
    corrupt.save(LABELS, _wide),
    f'{LABELS}: the mask has one channel .*gray value 40000 is .*: save',
  ),
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
    corrupt.save(LABELS, lambda p: p.crop((0, 0, 30, 24))),
    f'{LABELS} is 24x30 pixels, but its image is 24x40',
  ),
  'image of another size': (
    corrupt.save(IMAGE, lambda p: p.crop((0, 0, 40, 20))),
    f'{IMAGE}: the size differs.*20x40 instead of 24x40.*correct',
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
  'image id as fraction': (
    _edit(lambda c: c['images'][1].update(id=1.5)),
    "'images' has 1.5 for its 'id': write a whole number .*, or a text",
  ),
  'empty image id': (
    _edit(lambda c: c['annotations'][1].update(image_id='')),
    "'annotations' has '' for its 'image_id': write a whole number",
  ),
  'image id in two spellings': (
    _edit(lambda c: c['annotations'][1].update(image_id='20')),
    f"{JSON}: 20 and '20' are one image id: write it in one way",
  ),
  'two images of one id': (
    _edit(lambda c: c['images'][1].update(id='10')),
    f"{JSON}: 10 and '10' are one image id",
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
  'no JSON': (corrupt.write(JSON, b'{"images": ['), f'{JSON} is not JSON'),
  'JSON of another kind': (corrupt.write(JSON, b'[]'), "has no 'images'"),
  'missing image': (
    corrupt.remove(IMAGE),
    f'{IMAGE} does not exist: fetch',
  ),
  'missing labels': (corrupt.remove(LABELS), f'{LABELS} does not exist: fetch'),
  'several missing': (
    lambda root: [path.unlink() for path in (root / 'val2017').iterdir()],
    'val2017/.*jpg does not exist, and 2 other images lack a file too: fetch',
  ),
  'missing folder': (
    corrupt.rename('val2017', 'val'),
    'val2017 does not exist: data.dir and the split',
  ),
  'wrong directory level': (
    corrupt.nest,
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


def _rename_ids(root, names):
  def change(content):
    for section, key in (('images', 'id'), ('annotations', 'image_id')):
      for entry in content[section]:
        entry[key] = names[entry[key]]

  _edit(change)(root)


def test_ids_that_are_texts_are_kept(tmp_path):
  """In the folder, its index and its records; in natural order."""
  root = tmp_path / 'mine'
  trees.coco(root)
  _rename_ids(root, {10: 'b10', 20: 'b9', 30: 3})
  check.check('panoptic_folder', str(root))
  prepare.prepare('panoptic_folder', str(root), str(tmp_path))
  config = base.Data(name='panoptic_folder', source='tfds', dir=str(tmp_path))
  packed = registry.create(config, 'val2017')
  for dataset in (trees.opened(root), trees.opened(root), packed):
    assert list(map(dataset.result_id, dataset.image_ids)) == [3, 'b9', 'b10']
    assert dataset.image_ids == [1, 2, 3]
    assert dataset.file_name(2) == '000000000020.png'


def test_records_of_coco_hold_numbers(tmp_path):
  categories = [
    {'id': c.id, 'name': c.name, 'isthing': int(c.isthing)}
    for c in coco_categories.class_table().categories
  ]
  trees.coco(tmp_path, categories=categories)
  _rename_ids(tmp_path, {10: 'a', 20: 'b', 30: 'c'})
  spec = registry.get_files('coco_panoptic')
  with pytest.raises(ValueError, match="id 'a' is a text, .*panoptic_folder"):
    spec.records.check_tree(str(tmp_path))


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
  'a number and a text': (
    lambda c: [
      image.update(sequence=sequence)
      for image, sequence in zip(c['images'], (1, 1, '1'), strict=True)
    ],
    "image 30 has '1' for its 'sequence', but another has 1: write it in one",
  ),
  **{
    f'{value} for a name': (
      lambda c, value=value: c['images'][1].update(sequence=value),
      f"image 20 has {re.escape(repr(value))} for its 'sequence': write the",
    )
    for value in (1.0, True, ['v0'], {})
  },
}


@pytest.mark.parametrize('name', _VIDEO)
def test_videos_in_cocos_format(tmp_path, name):
  change, sentence = _VIDEO[name]
  trees.coco(tmp_path, count=3, videos=True)
  check.check('panoptic_folder', str(tmp_path))
  _edit(change)(tmp_path)
  with pytest.raises(ValueError, match=sentence):
    check.check('panoptic_folder', str(tmp_path))


def test_videos_may_have_numbers_for_names(tmp_path):
  trees.coco(tmp_path, count=3, videos=True)
  _edit(lambda c: [i.update(sequence=7) for i in c['images']])(tmp_path)
  assert trees.opened(tmp_path).sequences == {'7': range(3)}


def test_null_is_no_sequence(tmp_path):
  trees.coco(tmp_path)
  _edit(lambda c: [i.update(sequence=None, frame=None) for i in c['images']])(
    tmp_path
  )
  assert trees.opened(tmp_path).sequences == {}


# Whether the splits must then be refused, and why.
_OTHER_CATEGORIES = {
  'another order': (lambda c: c.reverse(), ''),
  'another color': (lambda c: c[0].update(color=[1, 2, 3]), ''),
  'another name': (
    lambda c: c[0].update(name='man'),
    r"id 1 is 'man' \(a thing\) instead of 'person' \(a thing\)",
  ),
  'stuff for a thing': (
    lambda c: c[0].update(isthing=0),
    r"id 1 is 'person' \(stuff\) instead of 'person' \(a thing\)",
  ),
  'one more': (
    lambda c: c.append({'id': 5, 'name': 'sea', 'isthing': 0}),
    r"id 5, 'sea' \(stuff\), is new",
  ),
}


@pytest.mark.parametrize('command', ['check', 'prepare'])
@pytest.mark.parametrize('name', _OTHER_CATEGORIES)
def test_splits_share_their_classes_in_any_order(
  tmp_path, monkeypatch, name, command
):
  change, difference = _OTHER_CATEGORIES[name]
  root = str(tmp_path / 'mine')
  for split in ('train', 'val'):
    trees.coco(tmp_path / 'mine', split)
  corrupt.edit(
    'annotations/panoptic_val.json', lambda c: change(c['categories'])
  )(tmp_path / 'mine')
  written = []
  monkeypatch.setattr(prepare, '_write', lambda *args: written.append(args))
  monkeypatch.setattr(prepare, '_summarize', lambda spec, data_dir: '')

  def run():
    if command == 'check':
      check.check('panoptic_folder', root)
    else:
      prepare.prepare('panoptic_folder', root, str(tmp_path / 'packed'))
      ((_, packing, _),) = written
      assert [c.id for c in packing.classes.categories] == [1, 187]

  if not difference:
    return run()
  with pytest.raises(
    ValueError, match=f'val of .*train of .*{difference}: give'
  ):
    run()
  assert not written


_NO_SEGMENT = {
  'no entry': lambda a: a.update(segments_info=[]),
  'crowds alone': lambda a: [s.update(iscrowd=1) for s in a['segments_info']],
}


@pytest.mark.parametrize('name', _NO_SEGMENT)
def test_a_split_without_a_segment_is_refused(tmp_path, name):
  trees.coco(tmp_path)
  _edit(lambda c: [_NO_SEGMENT[name](a) for a in c['annotations']])(tmp_path)
  if name == 'no entry':
    for path in tmp_path.glob('annotations/**/*.png'):
      trees.png(path, np.zeros([24, 40, 3], np.uint8))
  sentence = f'val2017 of {tmp_path} has no segment: all its pixels are void'
  with pytest.raises(ValueError, match=sentence):
    check.check('panoptic_folder', str(tmp_path))
  with pytest.raises(ValueError, match=sentence):
    prepare.prepare('panoptic_folder', str(tmp_path), str(tmp_path / 'packed'))
  with pytest.raises(ValueError, match=sentence):
    trees.opened(tmp_path)


@pytest.mark.parametrize(
  ('given', 'name'),
  [
    ('deep/er.png', 'deep/er.png'),
    ('../panoptic_val2017/x.png', 'panoptic_val2017/x.png'),
    ('first.PNG', 'first.png'),
  ],
)
def test_names_of_results_are_decided_when_a_folder_is_listed(
  tmp_path, given, name
):
  trees.coco(tmp_path)
  labels = tmp_path / 'annotations/panoptic_val2017'
  (labels / given).parent.mkdir(exist_ok=True)
  (tmp_path / LABELS).rename(labels / given)
  _edit(lambda c: c['annotations'][1].update(file_name=given))(tmp_path)
  check.check('panoptic_folder', str(tmp_path))
  assert trees.opened(tmp_path).file_name(20) == name


def test_two_images_of_one_name_are_refused(tmp_path):
  trees.coco(tmp_path)
  twin = f'../panoptic_val2017/{LABELS[-16:]}'.replace('20.png', '10.png')
  (tmp_path / 'annotations/panoptic_val2017/panoptic_val2017').mkdir()
  (tmp_path / LABELS).rename(
    tmp_path / 'annotations/panoptic_val2017/panoptic_val2017' / twin[-16:]
  )

  def change(content):
    content['annotations'][0]['file_name'] = twin
    content['annotations'][1]['file_name'] = twin.removeprefix('../')

  _edit(change)(tmp_path)
  sentence = f'0010.jpg and .*{IMAGE} are one image by name, panoptic_val2017/'
  with pytest.raises(ValueError, match=sentence):
    check.check('panoptic_folder', str(tmp_path))
  with pytest.raises(ValueError, match=sentence):
    trees.opened(tmp_path)


@pytest.mark.parametrize('mode', ['L', 'CMYK'])
def test_grey_and_cmyk_images_are_fine(tmp_path, mode):
  trees.coco(tmp_path)
  corrupt.save(IMAGE, lambda image: image.convert(mode))(tmp_path)
  check.check('panoptic_folder', str(tmp_path))
  image = trees.opened(tmp_path).example(1)['image']
  assert image.shape == (24, 40, 3)


def test_tiny_and_double_images_are_fine(tmp_path):
  trees.coco(tmp_path)
  corrupt.save(IMAGE, lambda p: p, 'mpo')(tmp_path)
  check.check('panoptic_folder', str(tmp_path))
  corrupt.save(IMAGE, lambda p: p.crop((0, 0, 7, 5)))(tmp_path)
  corrupt.save(LABELS, lambda p: p.crop((0, 0, 7, 5)))(tmp_path)
  with pytest.raises(ValueError, match='the size differs.*5x7 instead of 24'):
    check.check('panoptic_folder', str(tmp_path))
