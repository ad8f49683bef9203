"""A user's own images and clips: finding them, and reading their pixels."""

import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from PIL import Image

from data import streams
from panoptic import files, images, natural_order
from tasks.prediction import video_file


def find_images(path: str) -> list[str]:
  """The images of a folder, in natural order, or the one file.

  Files whose names end otherwise are told on the error stream.

  Raises:
    FileNotFoundError: If there is none.
    ValueError: If no path is given.
  """
  if not path:
    raise ValueError('--mode=predict needs --input, an image or a folder')
  if files.is_file(path):
    return [path]
  if not files.is_folder(path):
    raise FileNotFoundError(f'there is no image or folder at {path}')
  names = natural_order.in_order(
    entry.name for entry in files.scan(path) if not entry.is_folder
  )
  found = [name for name in names if name.lower().endswith(images.ENDINGS)]
  endings = ', '.join(images.ENDINGS)
  if not found:
    raise FileNotFoundError(
      f'no image in {path}: expected names that end in {endings}'
    )
  # Hidden files are those of the system.
  others = [n for n in names if n not in set(found) and not n.startswith('.')]
  if others:
    print(
      f'files of {path} that are left out: {len(others)}, the first being '
      f'{others[0]}; names of images end in {endings}',
      file=sys.stderr,
    )
  return [os.path.join(path, name) for name in found]


def find_frames(path: str) -> list[str]:
  """The frames of a folder, in order; see `in_order_of_frames`.

  Raises:
    FileNotFoundError: If there is none, or one is missing.
    NotADirectoryError: If the path is a file.
    ValueError: If their order is not clear.
  """
  if files.is_file(path):
    raise NotADirectoryError(
      f'{path} is a file: give --input a folder with the frames of a clip, or '
      f'a video, whose name ends in {", ".join(video_file.ENDINGS)}'
    )
  return in_order_of_frames(find_images(path), path)


def in_order_of_frames(paths: list[str], folder: str) -> list[str]:
  """The frames of a clip by the one number in which their names differ.

  No number may be missing between the first and the last, but all steps may be
  larger than 1. Names without any are ordered as text.

  Args:
    paths: The frames, at least one.
    folder: That they lie in.

  Raises:
    FileNotFoundError: If one is missing.
    ValueError: As `natural_order.frames`.
  """
  names = [path.removeprefix(os.path.join(folder, '')) for path in paths]
  found = natural_order.frames(names, folder)
  if found.gap is not None:
    raise FileNotFoundError(
      f'{folder} lacks a frame between {found.gap[0]} and {found.gap[1]}: add '
      'it, or number the frames without gaps'
    )
  return [paths[i] for i in found.order]


def read_image(path: str) -> np.ndarray:
  """uint8 `[h, w, 3]`, upright; raises ValueError if it cannot be read."""
  try:
    with images.open_image(files.read_bytes(path)) as file:
      return _pixels(file)
  except (OSError, SyntaxError) as error:
    raise ValueError(
      f'{path} cannot be read as an image ({error}): remove or replace it'
    ) from error
  except ValueError as error:
    raise ValueError(f'{path}: {error}') from error


def _pixels(image: Image.Image) -> np.ndarray:
  """uint8 `[h, w, 3]`, upright, of an open image."""
  image = images.upright(image)
  if image.mode.startswith('I'):  # Gray of 16 bits, which Pillow would cut.
    high = np.right_shift(np.asarray(image), 8)
    image = Image.fromarray(np.clip(high, 0, 255).astype(np.uint8))
  return np.asarray(image.convert('RGB'))


def as_array(image: Any, name: str) -> np.ndarray:
  """The pixels of an image in any of the forms in which users have one.

  Args:
    image: A path, which may be remote; an image of Pillow; or uint8
      `[h, w, 3]`, RGB.
    name: What it is called in messages.

  Returns:
    uint8 `[h, w, 3]`, upright.

  Raises:
    FileNotFoundError: If there is no such file.
    ValueError: If it cannot be read, or is of another form.
  """
  if isinstance(image, (str, os.PathLike)):
    path = files.expand_home(os.fspath(image))
    if files.is_folder(path):
      raise ValueError(f'{path} is a folder: give the paths of its images')
    if not files.is_file(path):
      raise FileNotFoundError(f'there is no image at {path!r}')
    if video_file.is_video(path, of_clip=False):
      raise ValueError(
        f'{path} is a video: give its frames, which '
        'tasks.prediction.video_file.Reader(path) yields one by one, or, to a '
        'model of videos, predictor.track(path)'
      )
    return read_image(path)
  if isinstance(image, Image.Image):
    try:
      images.check_size(image.height, image.width)
      return _pixels(image)
    except (OSError, SyntaxError, ValueError) as error:
      raise ValueError(f'{name} cannot be read: {error}') from error
  if not hasattr(image, '__array__'):
    raise ValueError(
      f'{name} is of the type {type(image).__name__}: give a path, an image of '
      'Pillow, or a uint8 array [height, width, 3]'
    )
  pixels = np.asarray(image)
  form = f'{name} is an array {pixels.dtype} {list(pixels.shape)}'
  if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
    raise ValueError(
      f'{form}: give one of shape [height, width, 3], RGB, or a list of such'
    )
  if pixels.dtype != np.uint8:
    raise ValueError(
      f'{form}: give uint8 in 0..255; floats in [0, 1] become that by '
      '(255 * image).round().astype(np.uint8)'
    )
  try:
    images.check_size(*pixels.shape[:2])
  except ValueError as error:
    raise ValueError(f'{name}: {error}') from error
  return pixels


def as_frames(frames: Iterable[Any], most: int = 0) -> Iterator[np.ndarray]:
  """The pixels of a clip's frames, as they come.

  Args:
    frames: Images as for `as_array`, in order.
    most: The number of frames that is allowed; 0: any.

  Yields:
    uint8 `[h, w, 3]`, all of one size.

  Raises:
    FileNotFoundError: If there is no such file.
    ValueError: If there is no frame or one too many, or one is wrong.
  """
  size = None
  for number, frame in enumerate(frames):
    if most:
      streams.check_lengths({'of frames': range(number + 1)}, most)
    pixels = as_array(frame, f'frame {number}')
    height, width, _ = pixels.shape
    size = size or (height, width)
    if (height, width) != size:
      raise ValueError(
        f'frame {number} has {height}x{width} pixels, but frame 0 has '
        f'{size[0]}x{size[1]}: give all frames of a clip one size'
      )
    yield pixels
  if size is None:
    raise ValueError('the clip has no frames: give one or more')


def check(paths: list[str], same_size: bool) -> None:
  """Reads all files, so that a bad one does not stop hours of work.

  Args:
    paths: The images.
    same_size: Whether they are the frames of a clip, which have one size.

  Raises:
    ValueError: If one cannot be read, or has another size.
  """
  first = None
  for path in paths:
    size = read_image(path).shape[:2]
    first = first or size
    if same_size and size != first:
      raise ValueError(
        f'{path} has {size[0]}x{size[1]} pixels, but {paths[0]} has '
        f'{first[0]}x{first[1]}: give all frames of a clip one size'
      )
