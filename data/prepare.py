"""Checks a data set's official files and packs them into TFDS records.

  python -m data.prepare --dataset=cityscapes --manual_dir=/path/to/cityscapes \
      --data_dir=/path/to/tensorflow_datasets

Stopped, the same command goes on: files that were found good are not checked
again, and a set that is prepared is left as it is. The records appear under
their name only when all of them are written.
"""

import collections
import os
import shutil
from typing import Mapping, Sequence

from absl import app, flags

from data import official, verify
from data.datasets import coco
from data.reading import samples
from data.tfds import builders, records
from panoptic import command_line


def prepare(
  name: str, manual_dir: str, data_dir: str, skip_bad: bool = False
) -> str:
  """Prepares a data set.

  Args:
    name: One of `records.KINDS`.
    manual_dir: Root of the official files; '' to let TFDS download them.
    data_dir: TFDS' data directory.
    skip_bad: Whether to leave out bad frames, and videos that have one, rather
      than to stop.

  Returns:
    The folder of the prepared records.

  Raises:
    FileNotFoundError: If files are missing.
    PermissionError: If some may not be read.
    ValueError: If files are wrong, or if there is no room for the records.
  """
  data_dir = os.path.expanduser(data_dir)
  manual_dir = os.path.expanduser(manual_dir)
  folder = records.find(name, data_dir)
  if folder is not None:
    print(f'{folder} is prepared already; remove it to prepare it anew')
    return folder
  if manual_dir:
    _prepare_tree(name, manual_dir, data_dir, skip_bad)
  elif name in official.BUILDERS:
    raise ValueError(
      f'--manual_dir is empty: {name} cannot be downloaded by a program. '
      + official.BUILDERS[name].MANUAL_DOWNLOAD_INSTRUCTIONS
    )
  else:
    _builder(name, '', data_dir, {}, frozenset()).download_and_prepare()
  folder = records.find(name, data_dir)
  for split in _splits(folder):
    content = records.open_split(name, data_dir, split)
    segments = content.segments[content.segments[:, 1] > 0]
    pictures, videos = len(content.names), len(content.sequences)
    crowds = segments[:, 2].tolist()
    print(verify.summary(split, pictures, videos, crowds))
  return folder


def _prepare_tree(name, manual_dir, data_dir, skip_bad) -> None:
  frames = official.list_frames(name, manual_dir)
  if name == 'coco_panoptic':
    names = [category[1] for category in _categories(manual_dir)]
    records.require_coco(names, manual_dir)
    coco.check_for_tfds(manual_dir)
  os.makedirs(data_dir, exist_ok=True)
  _require_room(frames, data_dir)
  journal = os.path.join(data_dir, f'.pix2seq_d-checked-{name}.jsonl')
  checked = verify.check(
    frames,
    official.encoding_of(name),
    official.find_segments(name),
    journal,
    skip_bad,
  )
  skipped = with_whole_videos(frames, checked.bad)
  verify.report_skipped(checked.bad, 'bad frames')
  for split, listed in frames.items():
    keys = {builders.checked_key(split, frame) for frame in listed}
    if keys <= skipped:
      raise ValueError(f'no frame of {split} in {manual_dir} is good')
  _remove_leftovers(name, data_dir)
  builder = _builder(name, manual_dir, data_dir, frames, skipped)
  if name in official.BUILDERS:
    builder.checked, builder.skipped = checked.segments, skipped
  import tensorflow_datasets as tfds

  builder.download_and_prepare(
    download_config=tfds.download.DownloadConfig(
      manual_dir=manual_dir, try_download_gcs=False
    )
  )
  os.remove(journal)


def with_whole_videos(
  frames: Mapping[str, Sequence[samples.Sample]], bad: Mapping[str, str]
) -> frozenset:
  """Bad frames, and all frames of their videos, which may not have gaps."""
  by_video = collections.defaultdict(set)
  for split, listed in frames.items():
    for frame in listed:
      key = builders.checked_key(split, frame)
      by_video[split, frame.sequence or frame.name].add(key)
  return frozenset().union(
    *(keys for keys in by_video.values() if keys & bad.keys())
  )


def _builder(name, manual_dir, data_dir, frames, skipped):
  if name == 'coco_panoptic':
    out = {
      os.path.basename(frame.image)
      for split, listed in frames.items()
      for frame in listed
      if builders.checked_key(split, frame) in skipped
    }
    return builders.coco_builder(data_dir, manual_dir or None, out)
  if name == 'davis':
    out = {
      frame.sequence
      for split, listed in frames.items()
      for frame in listed
      if builders.checked_key(split, frame) in skipped
    }
    return builders.davis_builder(data_dir, manual_dir or None, out)
  if name == 'panoptic_folder':
    return builders.PanopticFolder(
      categories=_categories(manual_dir), data_dir=data_dir
    )
  return official.BUILDERS[name](data_dir=data_dir)


def _categories(folder: str) -> list:
  """The class table of a folder, which its splits must share."""
  tables = {
    split: coco.read_folder(folder, split, complete=False).classes.categories
    for split in coco.splits_of(folder)
  }
  (first, table), *others = tables.items()
  for split, other in others:
    if other != table:
      raise ValueError(
        f'the categories of {split} and {first} in {folder}/annotations '
        'differ: give all splits the same'
      )
  return [[c.id, c.name, c.color, c.isthing] for c in table]


def _require_room(frames, data_dir) -> None:
  size = sum(
    os.path.getsize(path)
    for listed in frames.values()
    for frame in listed
    for path in (frame.image, frame.labels)
    if os.path.exists(path)
  )
  # Where TFDS shuffles, it writes everything twice.
  needed, free = 2 * size, shutil.disk_usage(data_dir).free
  if free < needed:
    raise ValueError(
      f'{data_dir} has {free / 1e9:.1f} GB free, but {needed / 1e9:.1f} GB are '
      'needed while records are written: make room, or choose another '
      '--data_dir'
    )


def _remove_leftovers(name: str, data_dir: str) -> None:
  """Removes what a preparation that was killed had begun to write."""
  around = os.path.dirname(
    os.path.join(data_dir, records.KINDS[name].folder, 'version')
  )
  if os.path.isdir(around):
    for entry in os.listdir(around):
      if '.incomplete' in entry or entry.startswith('incomplete.'):
        shutil.rmtree(os.path.join(around, entry))


def _splits(folder: str) -> Sequence[str]:
  import tensorflow_datasets as tfds

  return sorted(tfds.builder_from_directory(folder).info.splits)


def _define_flags() -> None:
  flags.DEFINE_enum(
    'dataset', None, sorted(records.KINDS), 'What to prepare.', required=True
  )
  flags.DEFINE_string(
    'manual_dir',
    '',
    'Root of the official files; COCO and DAVIS are downloaded without it.',
  )
  flags.DEFINE_string(
    'data_dir', '~/tensorflow_datasets', 'Where to write; data.dir later.'
  )
  flags.DEFINE_bool('skip_bad', False, 'Leave bad files out and list them.')


def _run() -> None:
  values = flags.FLAGS
  try:
    folder = prepare(
      values.dataset, values.manual_dir, values.data_dir, values.skip_bad
    )
  except samples.BadFile as error:
    hint = 'or leave such files out with --skip_bad'
    raise ValueError(f'{error}; {hint}') from error
  data_dir = os.path.abspath(os.path.expanduser(values.data_dir))
  print(
    f'{folder} is ready: --params_override=data.name={values.dataset},'
    f'data.source=tfds,data.dir={data_dir}'
  )


def main(argv) -> None:
  """Runs the flags."""
  command_line.run(argv, _run)


if __name__ == '__main__':
  _define_flags()
  app.run(main)
