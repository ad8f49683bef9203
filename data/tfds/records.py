"""Splits of packed TFDS data sets, read in any order.

With the index of where each image lies (see `record_index`), a packed split is
a `SplitIndex` like a folder's, so a run can resume at any step.
"""

import os

from data.reading import paths, split_index
from data.reading import spec as spec_lib
from panoptic import classes as classes_lib
from panoptic import files, image_ids, natural_order


def open_split(
  spec: spec_lib.FileSpec, data_dir: str, split: str
) -> split_index.SplitIndex:
  """Opens a split of a packed data set.

  Args:
    spec: The data set.
    data_dir: TFDS' data directory, which it was packed in.
    split: As in the official files, or as TFDS calls it.

  Raises:
    FileNotFoundError: If it was not packed; names the command that does.
    ValueError: If there is no such split, or if the records are not such as
      this project can read.
  """
  folder = find(spec, data_dir)
  if folder is None:
    raise FileNotFoundError(
      f'{os.path.join(data_dir, spec.records.folder)} does not exist: prepare '
      f'it by python -m data.prepare --dataset={spec.name} '
      f'--data_dir={data_dir} --manual_dir=OFFICIAL, or set data.dir to the '
      'official files'
    )
  # Only now, since it takes seconds.
  import tensorflow_datasets as tfds

  from data.tfds import record_index

  info = tfds.builder_from_directory(folder).info
  split = spec.records.splits.get(split, split)
  if split not in info.splits:
    raise ValueError(
      f'{folder} has no split {split!r}: choose one of '
      f'{", ".join(sorted(info.splits))}'
    )
  spec.records.check_info(info, folder)
  index = record_index.load(spec, folder, info.splits[split])
  images, labels = (
    split_index.ByteRanges(
      tuple(os.path.join(folder, file) for file in index['shards'].tolist()),
      index['shard'],
      index[f'{part}_start'],
      index[f'{part}_length'],
    )
    for part in ('image', 'labels')
  )
  names, sequence = split_index.number_sequences(index['sequence'].tolist())
  return split_index.SplitIndex(
    classes=spec.classes or _own_classes(info.metadata, folder),
    encoding=spec.encoding,
    images=images,
    labels=labels,
    names=tuple(index['name'].tolist()),
    image_ids=index['image_id'],
    sizes=index['size'],
    splits=index['splits'],
    segments=index['segments'],
    sequences=names,
    sequence=sequence,
    result_ids=image_ids.loads(index['result_id'].tolist()),
  )


def find(spec: spec_lib.FileSpec, data_dir: str) -> str | None:
  """The folder of the newest packed version, if there is one."""
  if not data_dir or not paths.has_folders(data_dir, [spec.records.folder]):
    return None
  folder = os.path.join(data_dir, spec.records.folder)
  versions = [
    version
    for version in paths.folders(folder)
    if files.exists(os.path.join(folder, version, 'dataset_info.json'))
    and all(map(natural_order.is_number, version.split('.')))
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
