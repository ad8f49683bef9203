"""Checks a data set's official files and packs them into TFDS records.

  python -m data.prepare --dataset=cityscapes --manual_dir=/path/to/cityscapes \
      --data_dir=/path/to/tensorflow_datasets

Runs also read the official files as they are, but few large files are faster on
a slow disk. After a stop, the same command goes on: files that were found good
are not checked again, and a packed set stays as it is. The records get their
name only when all of them are written.
"""

import os
import pathlib
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence

from panoptic.console import before_tensorflow  # noqa: F401  # isort: skip
from absl import app, flags

from data import folder as folder_lib
from data import registry, verify
from data.reading import paths, samples, split_content, split_index
from data.reading import spec as spec_lib
from data.tfds import records
from panoptic import files
from panoptic.console import command_line


def prepare(
  name: str, manual_dir: str, data_dir: str, skip_bad: bool = False
) -> str:
  """Packs a data set.

  Args:
    name: Of the data set.
    manual_dir: Root of the official files; '' to let TFDS download them.
    data_dir: TFDS' data directory.
    skip_bad: Whether to leave out bad samples, and videos that have one, rather
      than to stop.

  Returns:
    The folder of the records.

  Raises:
    FileNotFoundError: If files are missing.
    PermissionError: If some may not be read.
    ValueError: If files are wrong, or if there is no room for the records.
  """
  spec = registry.get_files(name)
  for flag, place in (('data_dir', data_dir), ('manual_dir', manual_dir)):
    if files.is_remote(place):
      raise ValueError(
        f'--{flag}={place} is not on a local disk: prepare on one, and copy '
        'the records; runs read them anywhere'
      )
  data_dir = os.path.expanduser(data_dir)
  manual_dir = os.path.expanduser(manual_dir)
  folder = records.find(spec, data_dir)
  if folder is not None:
    print(f'{folder} is prepared already; remove it to prepare it anew')
    return folder
  if manual_dir:
    _prepare_tree(spec, manual_dir, data_dir, skip_bad)
  else:
    _write(spec, None, data_dir)
  return _summarize(spec, data_dir)


def _prepare_tree(
  spec: spec_lib.FileSpec, manual_dir: str, data_dir: str, skip_bad: bool
) -> None:
  listings = folder_lib.list_splits(spec, manual_dir)
  splits = {split: listing.samples for split, listing in listings.items()}
  classes = folder_lib.common_classes(listings, manual_dir)
  spec.records.check_tree(manual_dir)
  os.makedirs(data_dir, exist_ok=True)
  _require_room(splits, data_dir)
  journal = os.path.join(data_dir, f'.pix2seq_d-checked-{spec.name}.jsonl')
  checked = verify.check(
    splits, spec.encoding, spec.find_segments, journal, skip_bad
  )
  if checked.bad:
    print(f'left out {len(checked.bad)} bad images:', file=sys.stderr)
  for key, reason in checked.bad.items():
    print(f'  {key}: {reason}', file=sys.stderr)
  left_out = with_whole_videos(splits, checked.bad)
  packed: dict[str, list[samples.Sample]] = {split: [] for split in splits}
  out = []
  for key, split, sample in samples.keyed(splits):
    if key in left_out:
      out.append(sample)
    else:
      segments = tuple(checked.segments[key])
      packed[split].append(sample._replace(segments=segments))
  for split, listed in packed.items():
    if not listed:
      raise ValueError(f'no image of {split} in {manual_dir} is good')
    _, table = split_index.flatten([s.segments or () for s in listed])
    split_content.require_segments(
      table, f'{split} of {manual_dir}', spec.no_segments_hint
    )
  _remove_leftovers(spec, data_dir)
  packing = spec_lib.Packing(manual_dir, packed, out, classes)
  _write(spec, packing, data_dir)
  os.remove(journal)


def _write(
  spec: spec_lib.FileSpec, packing: spec_lib.Packing | None, data_dir: str
) -> None:
  import tensorflow_datasets as tfds

  from data.tfds import builders

  downloads = None
  if packing is not None:
    downloads = tfds.download.DownloadConfig(
      manual_dir=packing.folder, try_download_gcs=False
    )
  builder = builders.make(spec, packing, data_dir)
  builder.download_and_prepare(download_config=downloads)


def _summarize(spec: spec_lib.FileSpec, data_dir: str) -> str:
  """Prints a line on each split of new records; returns their folder."""
  import tensorflow_datasets as tfds

  folder = records.find(spec, data_dir)
  if folder is None:
    raise FileNotFoundError(
      f'{data_dir}/{spec.records.folder} does not exist, although TFDS wrote '
      'it: remove the rest of it there, and prepare it again'
    )
  for split in sorted(tfds.builder_from_directory(folder).info.splits):
    content = records.open_split(spec, data_dir, split)
    crowds = content.segments[content.segments[:, 1] > 0, 2].tolist()
    print(
      verify.summary(split, len(content.names), len(content.sequences), crowds)
    )
  return folder


def with_whole_videos(
  splits: Mapping[str, Sequence[samples.Sample]], bad: Collection[str]
) -> frozenset[str]:
  """The keys of bad samples, and of all frames of videos that have one."""
  videos = {
    (split, sample.sequence)
    for key, split, sample in samples.keyed(splits)
    if sample.sequence and key in bad
  }
  return frozenset(bad).union(
    key
    for key, split, sample in samples.keyed(splits)
    if (split, sample.sequence) in videos
  )


def _require_room(
  splits: Mapping[str, Sequence[samples.Sample]], data_dir: str
) -> None:
  read = [f for *_, s in samples.keyed(splits) for f in (s.image, s.labels)]
  stamps = paths.stamps(read)
  size = sum(stamp[0] for stamp in stamps if stamp)
  # Where TFDS shuffles, it writes everything twice.
  needed, free = 2 * size, shutil.disk_usage(data_dir).free
  if free < needed:
    raise ValueError(
      f'{data_dir} has {free / 1e9:.1f} GB free, but {needed / 1e9:.1f} GB are '
      'needed while records are written: make room, or choose another '
      '--data_dir'
    )


def _remove_leftovers(spec: spec_lib.FileSpec, data_dir: str) -> None:
  """Removes the files of a preparation that was killed."""
  for pattern in ('*.incomplete*', 'incomplete.*'):
    for path in pathlib.Path(data_dir, spec.records.folder).glob(pattern):
      shutil.rmtree(path)


def _define_flags() -> None:
  flags.DEFINE_string(
    'dataset', None, 'The data set to prepare: a data.name.', required=True
  )
  command_line.define_path(
    'manual_dir',
    '',
    'Root of the official files; COCO and DAVIS are downloaded without it.',
  )
  command_line.define_path(
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
    f'data.dir={data_dir}'
  )


def main(argv) -> None:
  """Runs the flags."""
  command_line.run(argv, _run)


if __name__ == '__main__':
  _define_flags()
  app.run(main)
