"""What is known of a split before any picture is opened.

Every data set of files comes down to this, whether it lies in a folder or in
TFDS records: where each picture and its labels are, their size, and a table of
the segments. A frame of a video knows its sequence; a picture is a sequence of
its own.
"""

import dataclasses
from typing import Any, Mapping, Sequence, Tuple

import numpy as np

from data.reading import byte_ranges
from panoptic import classes as classes_lib
from panoptic import maps, png

# The columns of `segments`.
SEGMENT_KEYS = maps.Segment._fields


@dataclasses.dataclass(frozen=True)
class SplitIndex:
  """A split; N frames with M segments in all.

  Attributes:
    classes: The class table.
    encoding: Of the label files.
    images: Where the pictures are.
    labels: Where the label files are.
    names: Of the label files, which result files share.
    image_ids: int64 `[N]`.
    sizes: int32 `[N, 2]`, rows and columns.
    splits: int64 `[N + 1]`: segments splits[i] up to splits[i + 1] are of
      frame i.
    segments: int64 `[M, 4]`, by `SEGMENT_KEYS`. A category id of 0 marks what
      is void, and no segment, although its pixels have an id.
    sequences: Names of the videos; () where the frames are pictures.
    sequence: int32 `[N]`, each frame's; None where they are pictures. Frames
      stand in order, sequence by sequence.
  """

  classes: classes_lib.ClassTable
  encoding: png.Encoding
  images: byte_ranges.ByteRanges
  labels: byte_ranges.ByteRanges
  names: Tuple[str, ...]
  image_ids: np.ndarray
  sizes: np.ndarray
  splits: np.ndarray
  segments: np.ndarray
  sequences: Tuple[str, ...] = ()
  sequence: np.ndarray | None = None

  def __post_init__(self):
    """Raises ValueError if a video's frames differ in size."""
    if self.sequence is None:
      return
    same = self.sequence[1:] == self.sequence[:-1]
    differ = (self.sizes[1:] != self.sizes[:-1]).any(axis=1)
    for i in np.flatnonzero(same & differ)[:1]:
      raise ValueError(
        f'{self.names[i + 1]} and {self.names[i]} of sequence '
        f'{self.sequences[self.sequence[i]]} differ in size; all frames of a '
        'video must have the same'
      )


def flatten(
  infos: Sequence[Sequence[Mapping[str, Any]]],
) -> Tuple[np.ndarray, np.ndarray]:
  """`splits` and `segments` of each frame's list of segments."""
  splits = np.cumsum([0] + [len(info) for info in infos])
  rows = [
    [segment[key] for key in SEGMENT_KEYS] for info in infos for segment in info
  ]
  return splits, np.array(rows, np.int64).reshape(-1, len(SEGMENT_KEYS))


def label_table(content: SplitIndex) -> Tuple[np.ndarray, np.ndarray]:
  """What the ids of each frame mean, for looking pixels up.

  Returns:
    int64 `[M + N, 3]`, rows (segment id, class, number) by id within each
    frame, the first one void's, id 0; and where each frame's rows start, int64
    `[N + 1]`. Numbers tell the segments of a frame apart and stay with them
    through a sequence: 1 for the one with the most pixels, and so on. Crowds
    and what is void have class and number 0.
  """
  splits, segments = content.splits, content.segments
  frames = len(splits) - 1
  ids, categories, crowd, areas = segments.T
  frame = np.repeat(np.arange(frames), np.diff(splits))
  classes = content.classes.to_contiguous(categories)
  kept = (crowd == 0) & (classes > 0)
  sequence = np.arange(frames)
  if content.sequence is not None:
    sequence = content.sequence.astype(np.int64)

  number = np.zeros_like(ids)
  keys = np.stack([sequence[frame[kept]], ids[kept]], axis=1)
  tracks, track_of = np.unique(keys, axis=0, return_inverse=True)
  if len(tracks):
    pixels = np.bincount(track_of.ravel(), areas[kept])
    order = np.lexsort((tracks[:, 1], -pixels, tracks[:, 0]))
    first = np.searchsorted(tracks[order, 0], tracks[:, 0])
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    number[kept] = (place - first + 1)[track_of.ravel()]

  rows = np.stack([ids, np.where(kept, classes, 0), number], axis=1)
  rows = np.concatenate([np.zeros([frames, 3], np.int64), rows])
  frame = np.concatenate([np.arange(frames), frame])
  # A frame may list its own row for id 0; void's comes first.
  order = np.lexsort((rows[:, 0], frame))
  return rows[order], splits + np.arange(len(splits))


def segments_of(content: SplitIndex, index: int) -> list[maps.Segment]:
  """The segments of a frame, crowds among them; what is void is none."""
  rows = content.segments[content.splits[index] : content.splits[index + 1]]
  return [maps.Segment(*row) for row in rows.tolist() if row[1] > 0]
