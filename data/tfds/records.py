"""Splits of prepared TFDS data sets, read in any order.

With the index of where each picture lies (see `data.record_index`), a prepared
split is a catalogue like a folder's, and a run resumes at once wherever it was.
"""

import os
from typing import List, Sequence

import numpy as np

from data.datasets import cityscapes, coco_categories, davis, kitti_step
from data.reading import byte_ranges, split_index
from data.tfds import record_index
from data.tfds.record_index import Entry, Features, Kind
from panoptic import classes as classes_lib
from panoptic import maps, png


def open_split(name: str, data_dir: str, split: str) -> split_index.SplitIndex:
  """Opens a split of a prepared data set.

  Args:
    name: One of `KINDS`.
    data_dir: TFDS' data directory, which it was prepared in.
    split: As in the official files, or as TFDS calls it.

  Raises:
    FileNotFoundError: If it was not prepared; with the command that does.
    ValueError: If there is no such split, or if the records are not what this
      project can read.
  """
  kind = KINDS[name]
  folder = find(name, data_dir)
  if folder is None:
    where = os.path.join(data_dir or '<data.dir>', kind.folder)
    raise FileNotFoundError(
      f'{where} does not exist: prepare it by python -m data.prepare '
      f'--dataset={name} --data_dir={data_dir or "DIR"} --manual_dir=OFFICIAL, '
      'and set data.dir to that data_dir'
    )
  # Only now, since it takes seconds.
  import tensorflow_datasets as tfds

  info = tfds.builder_from_directory(folder).info
  split = kind.splits.get(split, split)
  if split not in info.splits:
    raise ValueError(
      f'{folder} has no split {split!r}: choose one of '
      f'{", ".join(sorted(info.splits))}'
    )
  if kind.class_table is None:
    classes = _own_classes(info.metadata, folder)
  else:
    classes = kind.class_table()
  if name == 'coco_panoptic':
    require_coco(info.features['panoptic_objects']['label'].names, folder)
  index = record_index.load(kind, folder, info.splits[split])
  count = len(index['image_id'])

  def of(part):
    return byte_ranges.ByteRanges(
      tuple(os.path.join(folder, file) for file in index['shards'].tolist()),
      index['shard'],
      index[f'{part}_start'],
      index[f'{part}_length'],
    )

  names, sequence = (), None
  if count and index['sequence'][0]:
    unique, sequence = np.unique(index['sequence'], return_inverse=True)
    names, sequence = tuple(unique.tolist()), sequence.astype(np.int32)
  return split_index.SplitIndex(
    classes=classes,
    encoding=kind.encoding,
    images=of('image'),
    labels=of('labels'),
    names=tuple(index['name'].tolist()),
    image_ids=index['image_id'],
    sizes=index['size'],
    splits=index['splits'],
    segments=index['segments'],
    sequences=names,
    sequence=sequence,
  )


def find(name: str, data_dir: str) -> str | None:
  """The folder of the newest prepared version, if there is one."""
  folder = os.path.join(data_dir, KINDS[name].folder)
  if not data_dir or not os.path.isdir(folder):
    return None
  versions = [
    version
    for version in os.listdir(folder)
    if os.path.exists(os.path.join(folder, version, 'dataset_info.json'))
    and all(part.isdigit() for part in version.split('.'))
  ]
  if not versions:
    return None
  newest = max(versions, key=lambda v: [int(part) for part in v.split('.')])
  return os.path.join(folder, newest)


def _own_classes(metadata, folder: str) -> classes_lib.ClassTable:
  if not metadata or 'categories' not in metadata:
    raise ValueError(
      f'{folder} has no categories in its metadata: prepare it again'
    )
  return classes_lib.ClassTable(
    [
      classes_lib.Category(id_, name, bool(isthing), tuple(color))
      for id_, name, color, isthing in metadata['categories']
    ]
  )


def require_coco(names: Sequence[str], folder: str) -> None:
  """TFDS keeps a category's place in its file: the file must be COCO's.

  Args:
    names: Of the categories, in the file's order.
    folder: For the message.

  Raises:
    ValueError: If they are not COCO's.
  """
  categories = coco_categories.class_table().categories
  if list(names) != [category.name for category in categories]:
    raise ValueError(
      f"{folder} has other categories than COCO's 133: prepare it as a set of "
      'your own with --dataset=panoptic_folder'
    )


def _coco_entries(features: Features) -> List[Entry]:
  """Records of TFDS' `coco/2017_panoptic`."""
  categories = coco_categories.class_table().categories
  columns = [
    features.get(f'panoptic_objects/{name}', ())
    for name in ('id', 'label', 'is_crowd', 'area')
  ]
  return [
    Entry(
      features['image'][0],
      features['panoptic_image'][0],
      features['panoptic_image/filename'][0].decode(),
      features['image/id'][0],
      '',
      0,
      [
        maps.Segment(id_, categories[label].id, crowd, area)
        for id_, label, crowd, area in zip(*columns, strict=True)
      ],
    )
  ]


def _davis_entries(features: Features) -> List[Entry]:
  """Records of TFDS' `davis/480p`, a video each."""
  (name,) = features['metadata/video_name']
  pairs = zip(
    features['video/frames'], features['video/segmentations'], strict=True
  )
  return [
    Entry(
      image, labels_, f'{name.decode()}/{i:05d}.png', -1, name.decode(), i, None
    )
    for i, (image, labels_) in enumerate(pairs)
  ]


def _own_entries(features: Features) -> List[Entry]:
  """Records of our own builders."""
  columns = [
    features.get(f'segments/{name}', ()) for name in maps.Segment._fields
  ]
  return [
    Entry(
      features['image'][0],
      features['labels'][0],
      features['name'][0].decode(),
      features['image_id'][0],
      features['sequence'][0].decode(),
      features['frame'][0],
      [maps.Segment(*row) for row in zip(*columns, strict=True)],
    )
  ]


KINDS = {
  'coco_panoptic': Kind(
    os.path.join('coco', '2017_panoptic'),
    {'train2017': 'train', 'val2017': 'validation'},
    _coco_entries,
    coco_categories.class_table,
    png.COCO,
  ),
  'cityscapes': Kind(
    'cityscapes_panoptic',
    {},
    _own_entries,
    cityscapes.class_table,
    cityscapes.ENCODING,
  ),
  'kitti_step': Kind(
    'kitti_step', {}, _own_entries, kitti_step.class_table, kitti_step.ENCODING
  ),
  'davis': Kind(
    os.path.join('davis', '480p'),
    {'val': 'validation'},
    _davis_entries,
    davis.class_table,
    davis.ENCODING,
    davis.find_segments,
  ),
  'panoptic_folder': Kind('panoptic_folder', {}, _own_entries, None, png.COCO),
}
