"""Checks a folder in COCO's format, or another official tree, file by file.

python -m data.check --dir=/path/to/mine
python -m data.check --dataset=kitti_step --dir=/path/to/kitti_step
"""

import sys

from absl import app, flags

from data import official, verify
from data.reading import samples
from data.tfds import builders, records
from panoptic import command_line


def check(name: str, folder: str, list_all: bool = False) -> verify.Checked:
  """Reads every file and prints what there is.

  Args:
    name: One of `records.KINDS`, whose official tree it is.
    folder: Its root.
    list_all: Whether to go on after a bad frame.

  Raises:
    FileNotFoundError, PermissionError, ValueError: On the first thing that is
      wrong; with `list_all`, on what is wrong beside single frames.
  """
  frames = official.list_frames(name, folder)
  found = verify.check(
    frames,
    official.encoding_of(name),
    official.find_segments(name),
    skip_bad=list_all,
  )
  for split, listed in frames.items():
    crowds = [
      segment.iscrowd
      for frame in listed
      for segment in found.segments.get(builders.checked_key(split, frame), ())
      if segment.category_id
    ]
    videos = len({frame.sequence for frame in listed if frame.sequence})
    print(verify.summary(split, len(listed), videos, crowds))
  return found


def _define_flags() -> None:
  flags.DEFINE_enum(
    'dataset', 'panoptic_folder', sorted(records.KINDS), 'Whose tree it is.'
  )
  flags.DEFINE_string('dir', None, 'Root of the files.', required=True)
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
    sys.exit(f'FATAL: {len(found.bad)} bad frames')
  print('all is well')


def main(argv) -> None:
  """Runs the flags; prints one line for each bad file."""
  command_line.run(argv, _run)


if __name__ == '__main__':
  _define_flags()
  app.run(main)
