"""Official directory trees: their frames, and the check of each file."""

import io
from typing import Callable, List, NamedTuple, Sequence, Tuple

import numpy as np
from PIL import Image

from data.reading import byte_ranges, paths
from panoptic import maps, png, runs


class Sample(NamedTuple):
  """A picture and its labels, as files.

  Attributes:
    name: Of the label file in result files; no two frames share one.
    image: Path of a JPEG or PNG.
    labels: Path of a PNG.
    image_id: Number of it in its split.
    sequence: Name of the video; '' for a picture.
    frame: Number in the video, from 0.
    size: (rows, columns) by the annotation; None where there is none.
    segments: By the annotation; None where the labels say it themselves.
  """

  name: str
  image: str
  labels: str
  image_id: int
  sequence: str = ''
  frame: int = 0
  size: Tuple[int, int] | None = None
  segments: Tuple[maps.Segment, ...] | None = None


class BadFile(ValueError):
  """A file that cannot be used: what is wrong, where, and the mend."""


Finder = Callable[[np.ndarray, np.ndarray], List[maps.Segment]]


def check(
  frame: Sample, encoding: png.Encoding, find_segments: Finder | None
) -> Tuple[Tuple[int, int], List[maps.Segment]]:
  """Reads both files of a frame whole and compares them.

  Args:
    frame: The files.
    encoding: Of the labels.
    find_segments: Ids and areas to segments, where the frame has none.

  Returns:
    The size (rows, columns), and the segments.

  Raises:
    BadFile: If a file is missing, broken or of the wrong size, or if the ids
      are wrong.
  """
  size = _at(frame.image, _check_picture, frame.image)
  if frame.size is not None and tuple(frame.size) != size:
    raise BadFile(
      f'{frame.image}: {byte_ranges.SIZE} ({_by(size)} instead of '
      f'{_by(frame.size)}); correct the annotation, or fetch the file again'
    )
  ids = _at(frame.labels, _read_labels, frame.labels, encoding)
  if ids.shape != size:
    raise BadFile(
      f'{frame.labels} is {_by(ids.shape)} pixels, but its picture is '
      f'{_by(size)}: fetch both again, or draw the labels at that size'
    )
  values, areas = runs.areas(ids)
  kept = values > 0
  values, areas = values[kept], areas[kept]
  if frame.segments is None:
    return size, _at(frame.labels, find_segments, values, areas)
  _compare(frame, values, areas)
  return size, list(frame.segments)


def _check_picture(path: str) -> Tuple[int, int]:
  with open(path, 'rb') as file:
    content = file.read()
  try:
    with Image.open(io.BytesIO(content)) as picture:
      # Some cameras' JPEGs hold a second picture behind the first: MPO.
      if picture.format not in ('JPEG', 'MPO', 'PNG'):
        raise ValueError(
          f'the picture is a {picture.format}; save it as JPEG or PNG'
        )
      byte_ranges.require_whole(content)
      size = picture.height, picture.width
      # A JPEG of an eighth shows as well whether all of it is there.
      picture.draft(picture.mode, tuple(max(1, s // 8) for s in size[::-1]))
      picture.load()
  except (OSError, SyntaxError) as error:
    raise ValueError(png.BROKEN) from error
  return size


def _read_labels(path: str, encoding: png.Encoding) -> np.ndarray:
  with open(path, 'rb') as file:
    return png.decode_ids(file.read(), encoding)


def _at(path: str, function, *arguments):
  """Calls the function; its errors get the path."""
  try:
    return function(*arguments)
  except BadFile:
    raise
  except PermissionError:
    raise BadFile(paths.denied(path)) from None
  except FileNotFoundError:
    raise BadFile(f'{path} does not exist: fetch it again') from None
  except (ValueError, OSError) as error:
    raise BadFile(f'{path}: {error}') from error


def _compare(frame: Sample, values: np.ndarray, areas: np.ndarray) -> None:
  """The annotation's segments must be those of the labels."""
  found = dict(zip(values.tolist(), areas.tolist(), strict=True))
  told = {segment.id: segment for segment in frame.segments}
  for these, those, where, other in (
    (found, told, 'in the PNG', 'in the annotation'),
    (told, found, 'in the annotation', 'in the PNG'),
  ):
    lacking = sorted(these.keys() - those.keys())
    if lacking:
      raise BadFile(
        f'{frame.labels}: segment {lacking[0]} is {where} but not {other} '
        f'({len(lacking)} such); add it there, or remove it here'
      )
  for segment in frame.segments:
    if segment.area != found[segment.id]:
      raise BadFile(
        f'{frame.labels}: segment {segment.id} has {found[segment.id]} pixels,'
        f' but the annotation says {segment.area}; correct its area'
      )


def _by(size: Sequence[int]) -> str:
  return f'{size[0]}x{size[1]}'


def numbered(
  names: Sequence[str], ending: str, where: str, first: int | None = None
) -> List[str]:
  """Frames `<number><ending>` in order, which must have no gaps.

  Args:
    names: A folder's, in any order; those of another ending are left out.
    ending: Such as '.png'.
    where: The folder, for messages.
    first: The first number; None: any.

  Returns:
    The names.

  Raises:
    FileNotFoundError: If there is none, or if one is missing in between.
  """
  numbers = {}
  for name in names:
    stem = name[: -len(ending)]
    if name.endswith(ending) and stem.isdigit():
      numbers[int(stem)] = name
  if not numbers:
    raise FileNotFoundError(
      f'{where} has no frame <number>{ending}: unpack the sequence again, or '
      'remove its folder'
    )
  start = min(numbers) if first is None else first
  for number in range(start, max(numbers)):
    if number not in numbers:
      raise FileNotFoundError(
        f'{where} lacks frame {number}, between {start} and {max(numbers)}: '
        'frames must be without gaps, so fetch it again'
      )
  return [numbers[number] for number in range(start, max(numbers) + 1)]
