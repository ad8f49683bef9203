"""Checks a folder in COCO's format, or another official tree, file by file.

python -m data.check --dir=/path/to/mine
python -m data.check --dataset=kitti_step --dir=/path/to/kitti_step
"""

import sys

import numpy as np
from absl import app, flags

from data import folder, registry, verify
from data.reading import samples, split_content, split_index
from panoptic.console import command_line


def check(name: str, root: str, list_all: bool = False) -> verify.Checked:
  """Reads every file and prints the content of each split.

  What is allowed but unusual is told on the error stream.

  Args:
    name: Of the data set.
    root: Of its official files.
    list_all: Whether to go on after a bad sample.

  Raises:
    FileNotFoundError, PermissionError, ValueError: On the first error; with
      `list_all`, on the first error of folders or annotations.
  """
  spec = registry.get_files(name)
  listings = folder.list_splits(spec, root)
  splits = {split: listing.samples for split, listing in listings.items()}
  classes = folder.common_classes(listings, root) or spec.classes
  found = verify.check(
    splits, spec.encoding, spec.find_segments, skip_bad=list_all
  )
  for split, listed in splits.items():
    good = [s for s in listed if samples.key(split, s) in found.segments]
    keys = [samples.key(split, sample) for sample in good]
    sizes = np.array([found.sizes[key] for key in keys], np.int32)
    ends, segments = split_index.flatten([found.segments[key] for key in keys])
    if not found.bad:
      split_content.require_segments(
        segments, f'{split} of {root}', spec.no_segments_hint
      )
    videos = len({sample.sequence for sample in listed if sample.sequence})
    crowds = segments[segments[:, 1] > 0, 2].tolist()
    print(verify.summary(split, len(listed), videos, crowds))
    if classes and good:
      names = [sample.name for sample in good]
      for line in split_content.warnings(
        split, names, sizes, ends, segments, classes, spec.is_void_usual
      ):
        print(line, file=sys.stderr)
  return found


def _define_flags() -> None:
  flags.DEFINE_string(
    'dataset', 'panoptic_folder', 'Whose tree it is: a data.name.'
  )
  command_line.define_path('dir', None, 'Root of the files.', required=True)
  flags.DEFINE_bool('all', False, 'List all bad files, not the first.')


def _run() -> None:
  values = flags.FLAGS
  try:
    found = check(values.dataset, values.dir, values.all)
  except samples.BadFile as error:
    raise ValueError(f'{error}; --all lists all bad files') from error
  for reason in found.bad.values():
    print(reason)
  if found.bad:
    sys.exit(f'FATAL: {len(found.bad)} bad images')
  print('all is well')


def main(argv) -> None:
  """Runs the flags; prints one line for each bad file."""
  command_line.run(argv, _run)


if __name__ == '__main__':
  _define_flags()
  app.run(main)
