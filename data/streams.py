"""The order in which videos are evaluated: streams, side by side in a batch.

The network sees the image of a frame and the predicted masks, not the images,
of the frames before it. So a row of the batches holds one video after another,
each in order.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Streams:
  """The frames of each row of the batches, for `pipeline.eval_in_order`.

  Attributes:
    index: int64 `[steps, streams]`, the index of each frame; -1: the stream has
      ended.
    is_first_frame: bool `[steps, streams]`, whether a frame is the first of its
      video or of a chunk of it, so that the state starts afresh.
    sequence: int64 `[steps, streams]`, the number of a frame's video; -1: none.
    frame: int64 `[steps, streams]`, the number of a frame in its video; -1:
      none.
  """

  index: np.ndarray
  is_first_frame: np.ndarray
  sequence: np.ndarray
  frame: np.ndarray


def make_streams(
  sequences: Sequence[range], count: int, max_frames: int | None = None
) -> Streams:
  """Spreads videos over streams, the longest first, to the shortest stream.

  Args:
    sequences: The indices of each video's frames.
    count: Number of streams.
    max_frames: Of a chunk, see `chunks`. The chunks of a video follow each
      other in one stream, so that scores and files get its frames in order.
  """
  streams: list[list[tuple]] = [[] for _ in range(count)]
  order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]))
  for number in order:
    frames = sequences[number]
    stream = min(streams, key=len)
    for chunk in chunks(len(frames), max_frames):
      stream += [(frames[t], t == chunk[0], number, t) for t in chunk]
  ended = (-1, False, -1, -1)
  steps = list(itertools.zip_longest(*streams, fillvalue=ended))
  index, is_first_frame, sequence, frame = np.moveaxis(
    np.array(steps, np.int64), -1, 0
  )
  return Streams(index, is_first_frame.astype(bool), sequence, frame)


def chunks(num_frames: int, max_frames: int | None = None) -> list[range]:
  """Splits a video into the fewest chunks of about the same length.

  Args:
    num_frames: Of the video, one at least.
    max_frames: No chunk is longer; None or 0: the video is one chunk.

  Returns:
    The numbers of the frames of each chunk, in order; the first chunks may be
    one frame longer than the others.
  """
  count = -(-num_frames // max_frames) if max_frames else 1
  length, longer = divmod(num_frames, count)
  lengths = [length + 1] * longer + [length] * (count - longer)
  ends = itertools.accumulate(lengths, initial=0)
  return [range(start, end) for start, end in itertools.pairwise(ends)]


def check_lengths(sequences: Mapping[str, range], max_frames: int) -> None:
  """Raises ValueError if a video has more frames than that."""
  for name, frames in sequences.items():
    if len(frames) > max_frames:
      raise ValueError(
        f'sequence {name} has {len(frames)} frames, and '
        f'evaluation.video.max_frames allows {max_frames}: raise that, or set '
        'evaluation.video.split=true'
      )
