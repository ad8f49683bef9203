"""Tiny data sets in the official formats, with the official encodings."""

import json

import numpy as np
from PIL import Image

PERSON, SKY = 1, 187  # Category ids of COCO.
COCO_CATEGORIES = [
  {'id': PERSON, 'name': 'person', 'isthing': 1},
  {'id': SKY, 'name': 'sky-other-merged', 'isthing': 0},
]


def save_image(path, size=(24, 40), seed=0):
  """A smooth image; the ending of the path says how it is kept."""
  path.parent.mkdir(parents=True, exist_ok=True)
  small = np.random.default_rng(seed).integers(0, 256, [4, 6, 3], np.uint8)
  Image.fromarray(small).resize(size[::-1]).save(path)


def png(path, pixels):
  """Keeps an array as it is."""
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(pixels).save(path)


def change_labels(path, change):
  """Changes the pixels of a label file, not how it holds them."""
  with Image.open(path) as image:
    pixels, palette = np.array(image), image.getpalette()
  changed = Image.fromarray(change(pixels))
  if palette:
    changed = changed.convert('P')
    changed.putpalette(palette)
  changed.save(path)


def rgb(ids):
  """Segment ids `[h, w]` as COCO's colours."""
  return np.stack([ids % 256, ids // 256 % 256, ids // 65536], -1).astype(
    np.uint8
  )


def opened(root, split='val2017', cache=False):
  """The data set in a folder in COCO's format."""
  from configs import base
  from data import registry

  config = base.Data(
    name='panoptic_folder', source='folder', dir=str(root), cache=cache
  )
  return registry.create(config, split)


def coco(root, split='val2017', count=3, videos=False, categories=None):
  """Images with a sky, two persons and a crowd.

  Returns:
    The JSON file's path; segment 8 moves from image to image.
  """
  content = {
    'images': [],
    'annotations': [],
    'categories': categories or COCO_CATEGORIES,
  }
  for i in range(count):
    key = 10 * (i + 1)
    stem = f'v{i // 3}/{i % 3:05d}' if videos else f'{key:012d}'
    ids = np.full([24, 40], 70000)
    ids[4:12, 3 + i : 15 + i] = 8
    ids[8:20, 20:30] = 300
    ids[20:, :5] = 9
    ids[0] = 0
    save_image(root / split / f'{stem}.jpg', seed=i)
    png(root / f'annotations/panoptic_{split}/{stem}.png', rgb(ids))
    image = {'id': key, 'file_name': f'{stem}.jpg', 'height': 24, 'width': 40}
    if videos:
      image.update(sequence=f'v{i // 3}', frame=i % 3)
    content['images'].append(image)
    kinds = {70000: (SKY, 0), 8: (PERSON, 0), 300: (PERSON, 0), 9: (PERSON, 1)}
    content['annotations'].append(
      {
        'image_id': key,
        'file_name': f'{stem}.png',
        'segments_info': [
          {
            'id': segment,
            'category_id': category,
            'iscrowd': crowd,
            'area': int((ids == segment).sum()),
            'bbox': [0, 0, 40, 24],
          }
          for segment, (category, crowd) in kinds.items()
        ],
      }
    )
  path = root / f'annotations/panoptic_{split}.json'
  path.write_text(json.dumps(content))
  return path


def cityscapes(root, splits=('train', 'val')):
  """Two cities of one image each, with groups and ignored labels."""
  for split in splits:
    for i, city in enumerate(('aachen', 'bochum')):
      stem = f'{city}_000000_00001{i}'
      ids = np.full([32, 64], 7)  # Road.
      ids[:10] = 23  # Sky.
      ids[:2, :20] = 0  # Unlabeled.
      ids[12:24, 4:10] = 24000  # The first person: 24 * 1000 + 0.
      ids[12:24, 12 + i : 18 + i] = 24001
      ids[14:22, 40:50] = 24  # A group of persons.
      ids[26:30, 20:40] = 26003 + i  # A car.
      ids[28:, 50:] = 1  # Ego vehicle.
      ids[20:24, 56:60] = 29000  # A caravan, which is ignored.
      ids[24:26, :6] = 9  # Parking, which is ignored.
      save_image(
        root / f'leftImg8bit/{split}/{city}/{stem}_leftImg8bit.png', (32, 64), i
      )
      png(
        root / f'gtFine/{split}/{city}/{stem}_gtFine_instanceIds.png',
        ids.astype(np.uint16),
      )


def kitti_step(root, split='train', lengths=(4, 3)):
  """Roads with two cars, one of which comes later, a crowd and void."""
  for sequence, length in enumerate(lengths):
    for t in range(length):
      maps = np.zeros([24, 80, 3], np.uint8)  # Road: class 0, instance 0.
      maps[:8, :, 0] = 10  # Sky.
      maps[10:16, 2 + t : 20 + t] = 13, 1, 2  # Car 258, in every frame.
      if t:
        maps[10:14, 40:50] = 13, 0, 7
      maps[10:14, 60:70] = 11, 0, 0  # A crowd of persons.
      maps[20:, 70:] = 255, 0, 0
      name = f'{sequence:04d}/{t:06d}.png'
      save_image(root / 'images' / split / name, (24, 80), 10 * sequence + t)
      png(root / 'panoptic_maps' / split / name, maps)


def davis(root, lengths=(4, 3)):
  """A clip in each split with two objects and void."""
  for split, sequence, length in zip(
    ('train', 'val'), ('bear', 'camel'), lengths, strict=True
  ):
    names = root / f'ImageSets/2017/{split}.txt'
    names.parent.mkdir(parents=True, exist_ok=True)
    names.write_text(f'{sequence}\n')
    for t in range(length):
      ids = np.zeros([24, 40], np.uint8)
      ids[4:12, 3 + t : 15 + t] = 1
      ids[8:20, 20:30] = 2
      ids[22:] = 255
      image = Image.fromarray(ids).convert('P')
      # Whole, or Pillow would write the ids in fewer bits.
      image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0] + 247 * [0] * 3)
      save_image(root / f'JPEGImages/480p/{sequence}/{t:05d}.jpg', seed=t)
      path = root / f'Annotations/480p/{sequence}/{t:05d}.png'
      path.parent.mkdir(parents=True, exist_ok=True)
      image.save(path)
