"""A user's own images and clips: finding and reading their files."""

import os
import sys

import numpy as np
from PIL import Image

from panoptic import files, images, natural_order

_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')


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
  found = [name for name in names if name.lower().endswith(_SUFFIXES)]
  endings = ', '.join(_SUFFIXES)
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
      f'{path} is a file: give --input a folder with the frames of a clip'
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
      image = images.upright(file)
      if image.mode.startswith('I'):  # Gray of 16 bits, which Pillow would cut.
        high = np.right_shift(np.asarray(image), 8)
        image = Image.fromarray(np.clip(high, 0, 255).astype(np.uint8))
      return np.asarray(image.convert('RGB'))
  except (OSError, SyntaxError) as error:
    raise ValueError(
      f'{path} cannot be read as an image ({error}): remove or replace it'
    ) from error
  except ValueError as error:
    raise ValueError(f'{path}: {error}') from error


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
