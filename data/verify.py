"""Checks all files of a data set before it is used.

What was found good is kept in a journal, so that a check that was stopped goes
on where it was.
"""

import concurrent.futures
import json
import os
import sys
import time
from typing import Dict, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

from data.reading import paths, samples
from data.tfds import builders
from panoptic import maps, png


class Checked(NamedTuple):
  """What a check found.

  Attributes:
    segments: Of each good frame, by `builders.checked_key`.
    bad: The sentence on each bad frame, by the same.
  """

  segments: Dict[str, List[maps.Segment]]
  bad: Dict[str, str]


class Progress:
  """A line that tells how far a loop is, every few seconds."""

  def __init__(self, what: str, total: int, every: float = 5.0):
    self._what, self._total, self._every = what, total, every
    self._start = self._told = time.monotonic()
    self._from = 0

  def skip(self, done: int) -> None:
    """Takes so many for done before the start, for the time left."""
    self._from = done

  def update(self, done: int) -> None:
    now = time.monotonic()
    if done < self._total and now - self._told < self._every:
      return
    self._told = now
    speed = (done - self._from) / max(now - self._start, 1e-3)
    left = (self._total - done) / speed if speed else 0
    print(
      f'{self._what}: {done}/{self._total}, {speed:.0f}/s, {left:.0f} s left',
      flush=True,
    )


def check(
  frames: Mapping[str, Sequence[samples.Sample]],
  encoding: png.Encoding,
  find_segments,
  journal: str = '',
  skip_bad: bool = False,
  workers: int = 0,
) -> Checked:
  """Reads every file of a data set.

  Args:
    frames: By split.
    encoding: Of the labels.
    find_segments: As for `samples.check`.
    journal: Path of the journal; '': none is kept.
    skip_bad: Whether to go on after a bad frame, such as one that lacks a file.
    workers: Threads; 0: as many as there are cores.

  Raises:
    samples.BadFile: On the first bad frame, unless `skip_bad`; on one that
      lacks a file before any file is read.
    PermissionError: If a folder may not be entered.
  """
  known = _read_journal(journal)
  segments, sizes, bad, todo = {}, {}, {}, []
  for split, listed in frames.items():
    for frame in listed:
      key = builders.checked_key(split, frame)
      try:
        stamp = _stamp(frame)
      except (FileNotFoundError, NotADirectoryError) as error:
        bad[key] = f'{error.filename} does not exist'
        continue
      stored = known.get(key)
      if stored and stored[0] == stamp:
        sizes[key] = tuple(stored[1])
        segments[key] = [maps.Segment(*row) for row in stored[2]]
      else:
        todo.append((key, stamp, frame))
  if bad and not skip_bad:
    first, *others = bad.values()
    more = f', and {len(others)} other frames lack a file too' if others else ''
    raise samples.BadFile(
      f'{first}{more}: fetch or unpack it again, or correct its name where an '
      'annotation has it'
    )
  total = len(bad) + len(segments) + len(todo)
  progress = Progress('checked', total)
  progress.skip(len(bad) + len(segments))
  if segments:
    print(f'{len(segments)} of {total} were checked before')

  def work(item):
    """Key, stamp, and what was found or the sentence on what is wrong."""
    key, stamp, frame = item
    try:
      return key, stamp, samples.check(frame, encoding, find_segments), ''
    except samples.BadFile as error:
      return key, stamp, None, str(error)

  kept = open(journal, 'a', encoding='utf-8') if journal else None
  pool = concurrent.futures.ThreadPoolExecutor(workers or os.cpu_count())
  try:
    for key, stamp, found, reason in pool.map(work, todo):
      if found is None:
        if not skip_bad:
          raise samples.BadFile(reason)
        bad[key] = reason
      else:
        sizes[key], segments[key] = found
        if kept:
          kept.write(json.dumps([key, stamp, *found]) + '\n')
      progress.update(len(segments) + len(bad))
  finally:
    pool.shutdown(cancel_futures=True)
    if kept:
      kept.close()
  for key, reason in _of_other_sizes(frames, sizes):
    if not skip_bad:
      raise samples.BadFile(reason)
    bad[key] = reason
    del segments[key]
  return Checked(segments, bad)


def _of_other_sizes(frames, sizes) -> Iterator[Tuple[str, str]]:
  """Frames, and a sentence each, that differ from the first of their video."""
  first = {}
  for split, listed in frames.items():
    for frame in listed:
      key = builders.checked_key(split, frame)
      if not frame.sequence or key not in sizes:
        continue
      size, image = first.setdefault(
        (split, frame.sequence), (sizes[key], frame.image)
      )
      if sizes[key] != size:
        rows, columns = sizes[key]
        yield (
          key,
          f'{frame.image} is {rows}x{columns} pixels, but {image} of the same '
          f'video is {size[0]}x{size[1]}: give all its frames one size',
        )


def report_skipped(bad: Mapping[str, str], what: str) -> None:
  """Lists what is left out, on the error stream."""
  if bad:
    print(f'left out {len(bad)} {what}:', file=sys.stderr)
  for key, reason in bad.items():
    print(f'  {key}: {reason}', file=sys.stderr)


def summary(
  split: str, pictures: int, videos: int, crowds: Sequence[int]
) -> str:
  """A line on what a split holds; `crowds` is `iscrowd` of each segment."""
  return (
    f'{split}: {pictures} pictures'
    + (f' in {videos} videos' if videos else '')
    + f', {len(crowds)} segments, {sum(crowds)} of them crowds'
  )


def _stamp(frame: samples.Sample) -> list:
  """What changes when a frame's files or its annotation do.

  Raises:
    FileNotFoundError, NotADirectoryError: If a file is missing.
    PermissionError: If a folder may not be entered.
  """
  stamps = []
  for path in (frame.image, frame.labels):
    try:
      status = paths.status(path)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
      raise
    except OSError:
      stamps += [0, 0]  # Reading it will say what is wrong.
    else:
      stamps += [status.st_size, status.st_mtime_ns]
  told = [list(segment) for segment in frame.segments or ()]
  size = list(frame.size) if frame.size else None
  return [*stamps, size, told]


def _read_journal(path: str) -> Dict[str, list]:
  if not path or not os.path.exists(path):
    return {}
  known = {}
  with open(path, encoding='utf-8') as file:
    for line in file:
      try:
        key, stamp, size, rows = json.loads(line)
      except ValueError:
        continue  # The last line of a check that was killed.
      known[key] = stamp, size, rows
  return known
