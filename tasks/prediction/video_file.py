"""Clips as video files, which OpenCV reads frame by frame, and writes."""

import contextlib
import math
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np

from panoptic import files, images

# Of the names of video files; a GIF may also be a still image.
GIF = '.gif'
ENDINGS = ('.mp4', '.m4v', '.mov', '.avi', '.mkv', '.webm', GIF)
_RATE = 25.0  # Frames a second, where a file states none.
_MOST_RATE = 240.0
# Browsers play the first one, and every OpenCV can encode the second.
_CODECS = ('vp09', 'mp4v')


def is_video(path: str | os.PathLike, of_clip: bool) -> bool:
  """Whether the name of a file is that of a video.

  Args:
    path: Of the file.
    of_clip: Whether a clip is wanted; else a GIF is an image, its first.
  """
  name = os.fspath(path).lower()
  return name.endswith(ENDINGS) and (of_clip or not name.endswith(GIF))


def as_frames_command(path: str) -> str:
  """What to do with a file that cannot be decoded here."""
  name = os.path.basename(path)
  return (
    'make frames of it elsewhere, as "ffmpeg -i '
    f'{name} frames/%06d.png" does, and give their folder'
  )


class Reader:
  """A video file, of which one frame at a time is in memory.

  A remote file is copied to a temporary one first.

  Attributes:
    path: Of the file.
    size: Rows and columns, as the video is shown.
    rate: Frames a second.
  """

  def __init__(self, path: str | os.PathLike):
    """Reads the header and decodes the first frame.

    Args:
      path: Of the file, whose name ends like one of `ENDINGS`.

    Raises:
      FileNotFoundError: If there is none.
      ValueError: If it is empty, too large, or cannot be decoded.
    """
    self.path = files.expand_home(os.fspath(path))
    if not files.is_file(self.path):
      raise FileNotFoundError(f'there is no video at {self.path!r}')
    if not files.size_and_time(self.path)[0]:
      raise ValueError(f'{self.path} is an empty file: copy the video again')
    self._local, self._folder = self.path, None
    if files.is_remote(self.path):
      self._folder = tempfile.TemporaryDirectory()  # Until this object is gone.
      name = os.path.basename(self.path)
      self._local = os.path.join(self._folder.name, name)
      _copy(self.path, self._local)
    with self._open() as capture:
      rate = capture.get(_cv2().CAP_PROP_FPS)
      self._stated = int(capture.get(_cv2().CAP_PROP_FRAME_COUNT))
      found, frame = capture.read()
    if not found:
      raise ValueError(
        f'{self.path} has no frame that can be decoded: '
        f'{as_frames_command(self.path)}'
      )
    self.size: tuple[int, int] = frame.shape[0], frame.shape[1]
    try:
      images.check_size(*self.size)
    except ValueError as error:
      raise ValueError(f'{self.path}: {error}') from error
    is_rate = math.isfinite(rate) and 0 < rate <= _MOST_RATE
    self.rate: float = rate if is_rate else _RATE

  def count(self) -> int:
    """Decodes all frames, and tells on the error stream if some are missing."""
    count = 0
    with self._open() as capture:
      while capture.grab():
        count += 1
    if count < self._stated:
      print(
        f'{self.path} states {self._stated} frames, but {count} can be '
        'decoded: the rest is left out',
        file=sys.stderr,
      )
    return count

  def __iter__(self) -> Iterator[np.ndarray]:
    """Yields the frames, uint8 `[h, w, 3]`, RGB, upright."""
    with self._open() as capture:
      found, frame = capture.read()
      while found:
        yield np.ascontiguousarray(frame[..., ::-1])
        found, frame = capture.read()

  @contextlib.contextmanager
  def _open(self) -> Iterator[Any]:
    capture = _cv2().VideoCapture(self._local)
    try:
      if not capture.isOpened():
        raise ValueError(
          f'{self.path} cannot be read as a video, since it is broken or of an '
          f'unknown format: {as_frames_command(self.path)}'
        )
      yield capture
    finally:
      capture.release()


class Writer:
  """Writes a video, which gets its name when the block is left.

  An exception that leaves the block leaves an earlier file as it was.
  """

  def __init__(self, path: str | os.PathLike, rate: float = _RATE):
    """Writes nothing yet.

    Args:
      path: Of the file, which ends in .mp4; may be remote.
      rate: Frames a second.

    Raises:
      ValueError: If the name ends otherwise.
    """
    self._path, self._rate = os.fspath(path), rate
    if not self._path.endswith('.mp4'):
      raise ValueError(f'{self._path} does not end in .mp4: videos are such')
    self._folder = tempfile.TemporaryDirectory()
    self._local = os.path.join(self._folder.name, 'video.mp4')
    self._writer: Any = None
    self._size: tuple[int, int] | None = None

  def add(self, frame: np.ndarray) -> None:
    """Adds a frame, uint8 `[h, w, 3]`, RGB; all are of one size.

    Raises:
      OSError: If videos cannot be encoded here.
      ValueError: If it is of another size than the first.
    """
    height, width, _ = frame.shape
    if self._writer is None:
      self._size = height, width
      # Encoders want even numbers.
      even = width + width % 2, height + height % 2
      for name in _CODECS:
        code = _cv2().VideoWriter_fourcc(*name)
        self._writer = _cv2().VideoWriter(self._local, code, self._rate, even)
        if self._writer.isOpened():
          break
      else:
        raise OSError(
          f'{self._path} cannot be encoded here: make it of images by "ffmpeg '
          '-i overlay/%06d.png overlay.mp4"'
        )
    if (height, width) != self._size:
      raise ValueError(
        f'a frame of {self._path} has {height}x{width} pixels, but the first '
        f'has {self._size}: give all one size'
      )
    padding = [(0, height % 2), (0, width % 2), (0, 0)]
    padded = np.pad(frame, padding, mode='edge')
    self._writer.write(np.ascontiguousarray(padded[..., ::-1]))

  def __enter__(self) -> Self:
    return self

  def __exit__(self, error_type, error, traceback) -> None:
    with self._folder:
      if self._writer is None:
        return
      self._writer.release()
      if error_type is None:
        files.make_folders(os.path.dirname(self._path) or '.')
        with files.replace_when_written(self._path) as temporary:
          _copy(self._local, temporary)


def save(
  path: str | os.PathLike, frames: Iterable[np.ndarray], rate: float = _RATE
) -> None:
  """Writes frames as they come; see `Writer`."""
  with Writer(path, rate) as writer:
    for frame in frames:
      writer.add(frame)


def _copy(source: str, target: str) -> None:
  with files.open_file(source) as reading:
    with files.open_file(target, 'wb') as writing:
      shutil.copyfileobj(reading, writing, 2**20)


def _cv2() -> Any:
  """OpenCV, whose decoders say nothing on the error stream."""
  os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
  os.environ.setdefault('OPENCV_LOG_LEVEL', 'SILENT')
  import cv2

  return cv2
