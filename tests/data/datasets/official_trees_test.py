"""What users' official trees get wrong: each has one sentence with the fix."""

import os
import shutil

import corrupt
import numpy as np
import pytest
import trees

from data import check, prepare
from data.datasets import kitti_step

_CITY = 'gtFine/train/aachen/aachen_000000_000010_gtFine_instanceIds.png'
_TREES = {
  'cityscapes: train ids for labels': (
    'cityscapes',
    corrupt.pixels(_CITY, np.full([32, 64], 255, np.uint16)),
    f'{_CITY}: the id 255 is no label of Cityscapes',
  ),
  'cityscapes: labels of 8 bits': (
    'cityscapes',
    corrupt.pixels(_CITY, np.full([32, 64], 7, np.uint8)),
    f'{_CITY}: .*bit depth.*16 bits',
  ),
  'cityscapes: image without labels': (
    'cityscapes',
    corrupt.remove(_CITY),
    f'{_CITY} does not exist.*unpack',
  ),
  'cityscapes: one image in two cities': (
    'cityscapes',
    lambda root: [
      shutil.copytree(root / part / 'train/aachen', root / part / 'train/bonn')
      for part in ('leftImg8bit', 'gtFine')
    ],
    'aachen/aachen_.*png and .*bonn/aachen_.*png are one image by name',
  ),
  'cityscapes: no gtFine': (
    'cityscapes',
    corrupt.rename('gtFine', 'gtCoarse'),
    'gtFine/train does not exist.*unpacked',
  ),
  'kitti: missing frame': (
    'kitti_step',
    lambda root: [
      corrupt.remove(f'{part}/train/0000/000002.png')(root)
      for part in ('images', 'panoptic_maps')
    ],
    'images/train/0000 lacks frame 2, between 0 and 3.*fetch',
  ),
  'kitti: sequence without annotations': (
    'kitti_step',
    corrupt.remove_folder('panoptic_maps/train/0001'),
    'sequence 0001 has no annotations; unpack them, or remove',
  ),
  'kitti: last labels missing': (
    'kitti_step',
    corrupt.remove('panoptic_maps/train/0000/000003.png'),
    'panoptic_maps/train/0000/000003.png does not exist: fetch',
  ),
  'kitti: class out of range': (
    'kitti_step',
    corrupt.pixels(
      'panoptic_maps/train/0000/000000.png', np.full([24, 80, 3], 19, np.uint8)
    ),
    '000000.png: the class 19 in R is not 0 to 18 or 255: if it is void, write '
    '255 there',
  ),
  'kitti: images are JPEG': (
    'kitti_step',
    lambda root: [
      corrupt.rename(path, path.with_suffix('.jpg'))(root)
      for path in (root / 'images/train/0001').iterdir()
    ],
    '0001/000000.jpg .and 2 more files there. must end in .png: save it as PNG',
  ),
  'kitti: one image is JPEG': (
    'kitti_step',
    corrupt.rename(
      'images/train/0001/000001.png', 'images/train/0001/000001.JPG'
    ),
    '0001/000001.JPG must end in .png: save it as PNG',
  ),
  'kitti: a number twice': (
    'kitti_step',
    lambda root: shutil.copy(
      root / 'images/train/0001/000001.png', root / 'images/train/0001/1.png'
    ),
    'train/0001, 000001 and 1, have one number: rename or remove',
  ),
  'cityscapes: an image is JPEG': (
    'cityscapes',
    lambda root: [
      path.rename(path.with_suffix('.jpg'))
      for path in (root / 'leftImg8bit/train/aachen').iterdir()
    ],
    'aachen_000000_000010_leftImg8bit.jpg must end in _leftImg8bit.png: save',
  ),
  'davis: images are PNG': (
    'davis',
    lambda root: [
      path.rename(path.with_suffix('.png'))
      for path in (root / 'JPEGImages/480p/bear').iterdir()
    ],
    'bear/00000.png .and 3 more files there. must end in .jpg: save it as JPG',
  ),
  'davis: another file': (
    'davis',
    corrupt.write('JPEGImages/480p/bear/\u00b2.jpg', b''),
    'bear/\u00b2.jpg is no frame <number>.jpg: remove it',
  ),
  'kitti: a frame of another size': (
    'kitti_step',
    lambda root: (
      trees.save_image(root / 'images/train/0001/000001.png', (20, 80)),
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
  'davis: image missing': (
    'davis',
    corrupt.remove('JPEGImages/480p/bear/00001.jpg'),
    'bear/00001.jpg does not exist: fetch',
  ),
  'davis: first labels missing': (
    'davis',
    corrupt.remove('Annotations/480p/bear/00000.png'),
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
    corrupt.pixels(
      'Annotations/480p/bear/00001.png', np.zeros([24, 40, 3], np.uint8)
    ),
    '00001.png: the labels have colours; they must be one channel',
  ),
  'davis: wrong folder': (
    'davis',
    corrupt.nest,
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


@pytest.mark.parametrize('name', ['²', '١', '1²'])
def test_other_digits_are_no_numbers(tmp_path, name):
  trees.kitti_step(tmp_path)
  for part in ('images', 'panoptic_maps'):
    folder = tmp_path / part / 'train/0001'
    shutil.copy(folder / '000001.png', folder / f'{name}.png')
  found = kitti_step.list_split(str(tmp_path), 'train').samples
  assert [s.frame for s in found if s.sequence == '0001'] == [0, 1, 2]
