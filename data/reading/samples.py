"""Images and their labels as files, and the check of each pair."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from data.reading import paths
from panoptic import classes as classes_lib
from panoptic import image_ids, images, maps, png, runs

_FORMATS = ('JPEG', 'MPO', 'PNG')
_ENDS = ((b'\xff\xd8\xff', b'\xff\xd9'), (b'\x89PNG', b'IEND'))

# Ids and areas of a label file to its segments.
Finder = Callable[[np.ndarray, np.ndarray], list[maps.Segment]]


class Sample(NamedTuple):
  """An image and its labels, as files.

  Attributes:
    name: Of the label file in result files; each sample has its own.
    image: Path of a JPEG or PNG.
    labels: Path of a PNG.
    image_id: The data set's own id of it, whole number or text.
    sequence: Name of the video; '' for an image.
    frame: Number in the video, by which frames are ordered.
    size: (rows, columns) by the annotation; None where there is none.
    segments: By the annotation; None where the labels say it themselves.
  """

  name: str
  image: str
  labels: str
  image_id: image_ids.ImageId
  sequence: str = ''
  frame: int = 0
  size: tuple[int, int] | None = None
  segments: tuple[maps.Segment, ...] | None = None


class Listing(NamedTuple):
  """A split as it lies in its folder.

  Attributes:
    samples: In order; frames sequence by sequence.
    classes: The folder's own class table; None: the data set's.
  """

  samples: Sequence[Sample]
  classes: classes_lib.ClassTable | None = None


class BadFile(ValueError):
  """Raised for an unusable file; the message says how to fix it."""


def key(split: str, sample: Sample) -> str:
  """The name of a sample among all splits."""
  return f'{split}/{sample.name}'


def keyed(
  splits: Mapping[str, Sequence[Sample]],
) -> Iterator[tuple[str, str, Sample]]:
  """The key, the split and the sample of all samples."""
  for split, listed in splits.items():
    for sample in listed:
      yield key(split, sample), split, sample


def check(
  sample: Sample,
  encoding: png.Encoding,
  find_segments: Finder | None,
  decode_image: bool = True,
) -> tuple[tuple[int, int], list[maps.Segment]]:
  """Reads both files of a sample and compares them.

  Args:
    sample: The files.
    encoding: Of the labels.
    find_segments: Finds the segments where the sample has none.
    decode_image: Whether to read the image whole, not its header alone.

  Returns:
    The size (rows, columns), and the segments.

  Raises:
    BadFile: If a file is missing, broken or of the wrong size, or if the ids
      are wrong.
  """
  size, turn = _at(sample.image, _shown_size, sample.image, decode_image)
  if sample.size is not None and tuple(sample.size) != size:
    _refuse_unturned(sample, 'annotation', sample.size, size, turn)
    raise BadFile(
      f'{sample.image}: the size differs from the one in the annotation '
      f'({_by(size)} instead of {_by(sample.size)}); correct the annotation, '
      'or fetch the file again'
    )
  ids = _at(sample.labels, _read_labels, sample, encoding)
  if ids.shape != size:
    _refuse_unturned(sample, 'mask', ids.shape, size, turn)
    raise BadFile(
      f'{sample.labels} is {_by(ids.shape)} pixels, but its image is '
      f'{_by(size)}: fetch both again, or draw the labels at that size'
    )
  values, areas = runs.areas(ids)
  if sample.segments is None:
    return size, _at(sample.labels, find_segments, values, areas)
  _compare(sample.labels, sample.segments, values, areas)
  return size, list(sample.segments)


def _shown_size(path: str, whole: bool) -> tuple[tuple[int, int], int]:
  """Rows and columns as it is shown, and its EXIF orientation, by the header.

  With `whole`, all of the file must be there.
  """
  with paths.open_file(path) as file:
    content = file.read() if whole else b''
    try:
      with images.open_image(content if whole else file) as image:
        # Some cameras' JPEGs hold a second image behind the first: MPO.
        if image.format not in _FORMATS:
          raise ValueError(
            f'the image is a {image.format}; save it as JPEG or PNG'
          )
        turn = images.orientation(image)
        size = images.upright_size(image, turn)
        if whole:
          # Pillow lets some cuts pass.
          if not any(
            content.startswith(h) and end in content for h, end in _ENDS
          ):
            raise ValueError(png.BROKEN)
          # A JPEG of an eighth shows as well whether all of it is there.
          width, height = (max(1, side // 8) for side in image.size)
          image.draft(image.mode, (width, height))
          image.load()
    except (OSError, SyntaxError) as error:
      raise ValueError(png.BROKEN) from error
  return size, turn


def _refuse_unturned(
  sample: Sample,
  what: str,
  found: Sequence[int],
  size: tuple[int, int],
  turn: int,
) -> None:
  """Raises BadFile where a size fits the image only as its pixels lie."""
  if turn > 4 and tuple(found) == size[::-1]:
    raise BadFile(
      f'{sample.image} has the EXIF tag "Orientation" {turn} and is shown as '
      f'{_by(size)} pixels, but its {what} has {_by(found)}, without the turn: '
      f'{images.MEND_TURN}'
    )


def _read_labels(sample: Sample, encoding: png.Encoding) -> np.ndarray:
  annotated = None
  if sample.segments is not None:
    annotated = [segment.id for segment in sample.segments]
  with paths.open_file(sample.labels) as file:
    return png.decode_ids(file.read(), encoding, annotated)


def _at(path: str, function, *arguments):
  """Calls the function; its errors get the path."""
  try:
    return function(*arguments)
  except PermissionError:
    raise BadFile(paths.denied(path)) from None
  except FileNotFoundError:
    raise BadFile(f'{path} does not exist: fetch it again') from None
  except (ValueError, OSError) as error:
    raise BadFile(f'{path}: {error}') from error


def _compare(
  path: str,
  segments: Sequence[maps.Segment],
  values: np.ndarray,
  areas: np.ndarray,
) -> None:
  """The annotation's segments must be those of the labels."""
  found = dict(zip(values.tolist(), areas.tolist(), strict=True))
  annotated = {segment.id for segment in segments}
  for lacking, where, other in (
    (sorted(found.keys() - annotated), 'in the PNG', 'in the annotation'),
    (sorted(annotated - found.keys()), 'in the annotation', 'in the PNG'),
  ):
    if lacking:
      raise BadFile(
        f'{path}: segment {lacking[0]} is {where} but not {other} '
        f'({len(lacking)} such); add it there, or remove it here'
      )
  for segment in segments:
    if segment.area != found[segment.id]:
      raise BadFile(
        f'{path}: segment {segment.id} has {found[segment.id]} pixels, but the '
        f'annotation says {segment.area}; correct its area'
      )


def _by(size: Sequence[int]) -> str:
  return f'{size[0]}x{size[1]}'
