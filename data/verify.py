"""Checks all files of a data set before it is used.

A journal lists the files that were found good, so that a stopped check goes on
where it was.
"""

import concurrent.futures
import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import tqdm

from data.reading import paths, samples
from panoptic import maps, png

_Size = tuple[int, int]


class Checked(NamedTuple):
  """The findings of a check, by `samples.key`.

  Attributes:
    sizes: (rows, columns) of each good sample.
    segments: Of each good sample.
    bad: A sentence on each bad sample.
  """

  sizes: dict[str, _Size]
  segments: dict[str, list[maps.Segment]]
  bad: dict[str, str]


def check(
  splits: Mapping[str, Sequence[samples.Sample]],
  encoding: png.Encoding,
  find_segments: samples.Finder | None,
  journal: str = '',
  skip_bad: bool = False,
  decode_images: bool = True,
) -> Checked:
  """Reads the files of a data set, on all cores.

  Args:
    splits: Samples, by split.
    encoding: Of the labels.
    find_segments: As for `samples.check`.
    journal: Path of the journal; '': none is kept.
    skip_bad: Whether to go on after a bad sample.
    decode_images: Whether to read images whole, not their headers alone.

  Raises:
    samples.BadFile: On the first bad sample, unless `skip_bad`; on one that
      lacks a file before any file is read.
    PermissionError: If a folder may not be entered.
  """
  found = Checked({}, {}, {})
  todo = _find_todo(splits, _read_journal(journal), found)
  if found.bad and not skip_bad:
    first, *others = found.bad.values()
    more = f', and {len(others)} other images lack a file too' if others else ''
    raise samples.BadFile(
      f'{first}{more}: fetch or unpack it again, or correct its name where an '
      'annotation has it'
    )
  done = len(found.bad) + len(found.segments)
  if found.segments:
    print(f'{len(found.segments)} of {done + len(todo)} were checked before')

  def work(item):
    """Key, stamp, and the findings or the sentence on the error."""
    key, stamp, sample = item
    try:
      checked = samples.check(sample, encoding, find_segments, decode_images)
      return key, stamp, checked, ''
    except samples.BadFile as error:
      return key, stamp, None, str(error)

  pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
  with contextlib.ExitStack() as stack:
    stack.callback(pool.shutdown, cancel_futures=True)
    file = stack.enter_context(open(journal, 'a')) if journal else None
    progress = stack.enter_context(
      tqdm.tqdm(
        desc='reading labels' if not decode_images else 'checking files',
        total=done + len(todo),
        initial=done,
        unit=' files',
        mininterval=2,
      )
    )
    for key, stamp, checked, reason in pool.map(work, todo):
      progress.update()
      if checked is not None:
        found.sizes[key], found.segments[key] = checked
        if file:
          file.write(json.dumps([key, stamp, *checked]) + '\n')
      elif skip_bad:
        found.bad[key] = reason
      else:
        raise samples.BadFile(reason)
  for key, reason in _of_other_sizes(splits, found.sizes):
    if not skip_bad:
      raise samples.BadFile(reason)
    found.bad[key] = reason
    del found.segments[key]
  return found


def _find_todo(splits, journal, found: Checked) -> list[tuple]:
  """Keys, stamps and samples still to be read; the others go to `found`."""
  todo = []
  for split, listed in splits.items():
    for sample, stamp in zip(listed, _stamps(listed), strict=True):
      key = samples.key(split, sample)
      if isinstance(stamp, str):
        found.bad[key] = f'{stamp} does not exist'
      elif key in journal and journal[key][0] == stamp:
        _, size, rows = journal[key]
        found.sizes[key] = tuple(size)
        found.segments[key] = [maps.Segment(*row) for row in rows]
      else:
        todo.append((key, stamp, sample))
  return todo


def _stamps(listed: Sequence[samples.Sample]) -> Iterator[list | str]:
  """The stamp of each sample, which changes as its files or annotation do.

  For a sample that lacks a file, the path of that file.
  """
  of_images = paths.stamps([sample.image for sample in listed])
  of_labels = paths.stamps([sample.labels for sample in listed])
  for sample, image, labels in zip(listed, of_images, of_labels, strict=True):
    if image is None or labels is None:
      yield sample.image if image is None else sample.labels
      continue
    size = list(sample.size) if sample.size else None
    segments = [list(segment) for segment in sample.segments or ()]
    yield [*image, *labels, size, segments]


def _of_other_sizes(splits, sizes) -> Iterator[tuple[str, str]]:
  """Frames, and a sentence each, that differ from the first of their video."""
  first: dict[tuple[str, str], tuple[_Size, str]] = {}
  for key, split, sample in samples.keyed(splits):
    if not sample.sequence or key not in sizes:
      continue
    size, image = first.setdefault(
      (split, sample.sequence), (sizes[key], sample.image)
    )
    if sizes[key] != size:
      rows, columns = sizes[key]
      yield (
        key,
        f'{sample.image} is {rows}x{columns} pixels, but {image} of the same '
        f'video is {size[0]}x{size[1]}: give all its frames one size',
      )


def summary(split: str, images: int, videos: int, crowds: Sequence[int]) -> str:
  """A line on the content of a split; `crowds` is `iscrowd` of each segment."""
  return (
    f'{split}: {images} images'
    + (f' in {videos} videos' if videos else '')
    + f', {len(crowds)} segments, {sum(crowds)} of them crowds'
  )


def _read_journal(path: str) -> dict[str, tuple]:
  """Stamp, size and segments of good samples, by `samples.key`."""
  known: dict[str, tuple] = {}
  if not path or not os.path.exists(path):
    return known
  with open(path, encoding='utf-8') as file:
    for line in file:
      try:
        key, stamp, size, rows = json.loads(line)
      except ValueError:
        continue  # The last line of a check that was killed.
      known[key] = stamp, size, rows
  return known
