"""Where the files of a data set lie: in a folder, or in TFDS records."""

import dataclasses
import os

from data import folder
from data.reading import paths, result_names, split_content, split_index
from data.reading import spec as spec_lib
from data.tfds import records
from panoptic import files

FOLDER, TFDS = 'folder', 'tfds'
# Values of `data.source`; '' lets the content of `data.dir` decide.
SOURCES = ('', FOLDER, TFDS)


def open_split(
  spec: spec_lib.FileSpec, root: str, split: str, source: str = ''
) -> split_index.SplitIndex:
  """Opens a split.

  Args:
    spec: The data set.
    root: `data.dir`, the official folder or TFDS' data directory.
    split: One of its splits.
    source: `FOLDER` or `TFDS`; '': as `root` holds one of the two.

  Raises:
    FileNotFoundError: If `root` holds neither, or files are missing.
    PermissionError: If some may not be read.
    ValueError: If `root` holds both, if the data are wrong, or if no image has
      a segment.
  """
  if not root:
    raise ValueError(
      'data.dir is empty: give --data_dir, the folder of '
      + _expected(spec, 'or')
    )
  if not files.is_remote(root):
    root = os.path.expanduser(root)
  is_packed = (source or _find(spec, root)) == TFDS
  content = (records if is_packed else folder).open_split(spec, root, split)
  split_content.require_segments(
    content.segments, f'{split} of {root}', spec.no_segments_hint
  )
  # Records and old indices have the names of label files.
  names = result_names.result_names(content.names, content.images.name)
  return dataclasses.replace(content, names=tuple(names))


def _find(spec: spec_lib.FileSpec, root: str) -> str:
  """The one of `FOLDER` and `TFDS` that a folder holds."""
  packed = records.find(spec, root)
  if spec.tree.is_root(root):
    if packed:
      raise ValueError(
        f'{root} holds both the official files of {spec.name} and records of '
        f'them, {packed}: choose by data.source=folder or data.source=tfds'
      )
    return FOLDER
  if packed:
    return TFDS
  if not files.exists(root):
    raise FileNotFoundError(
      f'{root} does not exist: set data.dir to the folder of '
      + _expected(spec, 'or')
    )
  raise FileNotFoundError(
    f'{root} holds neither {_expected(spec, "nor")}: set data.dir to the '
    'folder of the one or the other'
    + (spec.tree.nearby(root) or paths.nearby(root, spec.tree.is_root))
  )


def _expected(spec: spec_lib.FileSpec, conjunction: str) -> str:
  return (
    f'the official files of {spec.name} ({spec.tree.layout}) {conjunction} the '
    f'records that python -m data.prepare --dataset={spec.name} writes'
  )
