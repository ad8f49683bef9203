"""The index of a split: what is known of its images before one is opened.

Every data set of files comes down to this, whether it lies in a folder or in
TFDS records: where each image and its labels are, their size, and a table of
the segments. A frame of a video knows its sequence; an image is a sequence of
its own.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from data.reading import paths as paths_lib
from panoptic import classes as classes_lib
from panoptic import image_ids as image_ids_lib
from panoptic import images as images_lib
from panoptic import maps, png

# The columns of `segments`.
SEGMENT_KEYS = maps.Segment._fields


@dataclasses.dataclass(frozen=True)
class ByteRanges:
  """Encoded images: whole files, or ranges of files that hold many.

  Attributes:
    paths: The files.
    file: int32 `[N]`, the file that each image is in.
    start: int64 `[N]`, its first byte; None: each is a whole file.
    length: int64 `[N]`, its bytes; None like `start`.
  """

  paths: tuple[str, ...]
  file: np.ndarray
  start: np.ndarray | None = None
  length: np.ndarray | None = None

  @classmethod
  def whole_files(cls, paths: Sequence[str]) -> 'ByteRanges':
    return cls(tuple(paths), np.arange(len(paths), dtype=np.int32))

  def name(self, index: int) -> str:
    """The name in messages: the file's path, and the place in there."""
    path = self.paths[self.file[index]]
    return path if self.start is None else f'{path} at {self.start[index]}'

  def read(self, index: int) -> bytes:
    """The bytes, on the host; OSError if they cannot be read."""
    with paths_lib.open_file(self.paths[self.file[index]]) as file:
      if self.start is None or self.length is None:
        return file.read()
      file.seek(self.start[index])
      return file.read(self.length[index])


@dataclasses.dataclass(frozen=True)
class SplitIndex:
  """A split; N frames with M segments in all.

  Attributes:
    classes: The class table.
    encoding: Of the label files.
    images: Where the images are.
    labels: Where the label files are.
    names: Of the label files, which result files share.
    image_ids: int64 `[N]`, the numbers of the images.
    sizes: int32 `[N, 2]`, rows and columns.
    splits: int64 `[N + 1]`: segments splits[i] up to splits[i + 1] are of
      frame i.
    segments: int64 `[M, 4]`, by `SEGMENT_KEYS`. A category id of 0 marks
      pixels that are void although they have an id.
    sequences: Names of the videos; () where the frames are images.
    sequence: int32 `[N]`, each frame's; None where they are images. Frames
      stand in order, sequence by sequence.
    result_ids: The data set's own ids, where `image_ids` are not these: where
      some are texts. () where they are.
  """

  classes: classes_lib.ClassTable
  encoding: png.Encoding
  images: ByteRanges
  labels: ByteRanges
  names: tuple[str, ...]
  image_ids: np.ndarray
  sizes: np.ndarray
  splits: np.ndarray
  segments: np.ndarray
  sequences: tuple[str, ...] = ()
  sequence: np.ndarray | None = None
  result_ids: tuple[image_ids_lib.ImageId, ...] = ()

  def __post_init__(self):
    """Raises ValueError if an image is too large, or frames differ in size."""
    pixels = self.sizes.astype(np.int64).prod(axis=1)
    for i in np.flatnonzero(pixels > images_lib.MAX_PIXELS)[:1]:
      try:
        images_lib.check_size(*self.sizes[i].tolist())
      except ValueError as error:
        raise ValueError(f'{self.images.name(i)}: {error}') from None
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
  segments: Sequence[Sequence[maps.Segment]],
) -> tuple[np.ndarray, np.ndarray]:
  """`splits` and `segments` of each frame's list of segments."""
  splits = np.cumsum([0] + [len(of_frame) for of_frame in segments])
  rows = [segment for of_frame in segments for segment in of_frame]
  return splits, np.array(rows, np.int64).reshape(-1, len(SEGMENT_KEYS))


def number_ids(
  ids: Sequence[image_ids_lib.ImageId],
) -> tuple[np.ndarray, list[image_ids_lib.ImageId]]:
  """`image_ids` and `result_ids` of each image's own id.

  Where one is a text, or below 0, which marks rows that only fill a batch, the
  images are numbered from 1.
  """
  if all(isinstance(image_id, int) and image_id >= 0 for image_id in ids):
    return np.array(ids, np.int64), []
  return np.arange(1, len(ids) + 1), list(ids)


def number_sequences(
  sequences: Sequence[str],
) -> tuple[tuple[str, ...], np.ndarray | None]:
  """`sequences` and `sequence` of each frame's sequence; '' for images.

  Sequences keep the order in which they come.
  """
  if not len(sequences) or not sequences[0]:
    return (), None
  number_of: dict[str, int] = {}
  numbers = [number_of.setdefault(name, len(number_of)) for name in sequences]
  return tuple(number_of), np.array(numbers, np.int32)


def label_table(content: SplitIndex) -> tuple[np.ndarray, np.ndarray]:
  """The table in which the ids of pixels are looked up.

  Returns:
    int64 `[M + N, 3]`, rows (segment id, class, number) by id within each
    frame, the first one void's, id 0; and where each frame's rows start, int64
    `[N + 1]`. Numbers tell the segments of a frame apart and stay with them
    through a sequence: 1 for the one with the most pixels, and so on. Crowds
    and void have class and number 0.
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
  """The segments of a frame, crowds and void among them."""
  rows = content.segments[content.splits[index] : content.splits[index + 1]]
  return [maps.Segment(*row) for row in rows.tolist()]
