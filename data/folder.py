"""Splits read straight from the official folder of a data set.

The first start lists the folder, checks it, and keeps an index of the split
(see `data.reading.index_file`); later ones only look whether it still fits.
"""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from data import verify
from data.reading import index_file, paths, samples, split_index
from data.reading import spec as spec_lib
from panoptic import classes as classes_lib
from panoptic import maps

_VERSION = 2  # Of the index.


def open_split(
  spec: spec_lib.FileSpec, root: str, split: str
) -> split_index.SplitIndex:
  """Opens a split.

  Where the labels themselves say the segments, each is decoded once for the
  index. Where an annotation does, only it is read, and all files of it must be
  there.

  Args:
    spec: The data set.
    root: Its folder.
    split: One of its splits.

  Raises:
    FileNotFoundError: If a folder or a file is missing.
    PermissionError: If one may not be read.
    ValueError: If annotations or labels are wrong.
  """
  name = f'.pix2seq_d-{spec.name}-{split}'
  listed: samples.Listing | None = None
  annotation = ''
  if spec.tree.annotation:
    annotation = spec.tree.annotation(root, split)
    stamp = _stamp([annotation], root)
  else:
    listed = _checked(spec.tree.list_split(root, split))
    stamp = _stamp(
      [path for s in listed.samples for path in (s.image, s.labels)], root
    )
  arrays = index_file.load(root, name, stamp)
  stored = arrays is not None
  if arrays is None:
    listed = listed or _checked(spec.tree.list_split(root, split))
    arrays = _make(spec, root, split, listed)
  content = _from_arrays(arrays, spec, root)
  if annotation:
    _require_files(root, annotation, content)
  if not stored:
    index_file.save(root, name, {**stamp, **arrays})
  return content


def list_splits(
  spec: spec_lib.FileSpec, root: str
) -> dict[str, samples.Listing]:
  """All splits of a folder, whose files may be missing.

  Raises:
    FileNotFoundError, PermissionError, ValueError: On the first error of
      folders or annotations.
  """
  paths.require(root, 'give the root of the official files')
  splits = spec.tree.splits(root)
  if not splits:
    raise FileNotFoundError(
      f'{root} has no {spec.tree.layout}: it must be the root of the official '
      'files' + paths.nearby(root, spec.tree.is_root)
    )
  return {
    split: _checked(spec.tree.list_split(root, split)) for split in splits
  }


def _checked(listed: samples.Listing) -> samples.Listing:
  """Raises ValueError if two samples have one name."""
  images: dict[str, str] = {}
  for sample in listed.samples:
    if sample.name in images:
      raise ValueError(
        f'{images[sample.name]} and {sample.image} are one image by name, '
        f'{sample.name}: remove one of them'
      )
    images[sample.name] = sample.image
  return listed


def _make(
  spec: spec_lib.FileSpec, root: str, split: str, listing: samples.Listing
) -> dict[str, np.ndarray]:
  """The index of a listing, whose labels are read if there is no annotation.

  Paths in it are relative, so that a folder may move.
  """
  listed = listing.samples
  sizes = [sample.size or (0, 0) for sample in listed]
  segments: list[Sequence[maps.Segment]]
  segments = [sample.segments or () for sample in listed]
  if spec.tree.annotation is None:
    found = verify.check(
      {split: listed}, spec.encoding, spec.find_segments, decode_images=False
    )
    keys = [samples.key(split, sample) for sample in listed]
    sizes = [found.sizes[key] for key in keys]
    segments = [found.segments[key] for key in keys]
  classes = listing.classes or spec.classes
  if classes is None:
    raise ValueError(f'{spec.name} and its folder have no class table: add one')
  splits, table = split_index.flatten(segments)
  sequences, sequence = split_index.number_sequences(
    [sample.sequence for sample in listed]
  )
  return {
    'classes': np.array(classes.to_json()),
    'images': _relative([sample.image for sample in listed], root),
    'labels': _relative([sample.labels for sample in listed], root),
    'names': np.array([sample.name for sample in listed]),
    'image_ids': np.array([sample.image_id for sample in listed], np.int64),
    'sizes': np.array(sizes, np.int32).reshape(-1, 2),
    'splits': splits,
    'segments': table,
    'sequences': np.array(sequences, str),
    'sequence': np.zeros([0], np.int32) if sequence is None else sequence,
  }


def _require_files(
  root: str, annotation: str, content: split_index.SplitIndex
) -> None:
  """Raises FileNotFoundError if an image or a label file is missing."""
  for files in (content.images.paths, content.labels.paths):
    missing = paths.missing(files)
    if missing:
      raise FileNotFoundError(
        f'{root} lacks {len(missing)} of the {len(files)} files that '
        f'{annotation} names, the first being {missing[0]}'
      )


def _stamp(files: Sequence[str], root: str) -> dict[str, np.ndarray]:
  """The stamp of an index; it changes when one of the files does."""
  found = [stamp or (-1, -1) for stamp in paths.stamps(files)]
  return {
    'version': np.array(_VERSION),
    'stamp_names': _relative(files, root),
    'stamp': np.array(found, np.int64),
  }


def _from_arrays(
  arrays: Mapping[str, np.ndarray], spec: spec_lib.FileSpec, root: str
) -> split_index.SplitIndex:
  """The split that an index describes."""
  images, labels = (
    split_index.ByteRanges.whole_files(
      [os.path.join(root, path) for path in arrays[part].tolist()]
    )
    for part in ('images', 'labels')
  )
  sequences = tuple(arrays['sequences'].tolist())
  return split_index.SplitIndex(
    classes=classes_lib.ClassTable.from_json(str(arrays['classes'])),
    encoding=spec.encoding,
    images=images,
    labels=labels,
    names=tuple(arrays['names'].tolist()),
    image_ids=arrays['image_ids'],
    sizes=arrays['sizes'],
    splits=arrays['splits'],
    segments=arrays['segments'],
    sequences=sequences,
    sequence=arrays['sequence'] if sequences else None,
  )


def _relative(files: Sequence[str], root: str) -> np.ndarray:
  return np.array([path.removeprefix(os.path.join(root, '')) for path in files])
