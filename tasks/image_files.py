"""A user's own images and clips: finding and reading their files."""

import os
import re

import numpy as np
from PIL import Image

from panoptic import files, images

_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')


def find_images(path: str) -> list[str]:
  """The images of a folder, sorted, or the one file.

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
  found = sorted(
    entry.path
    for entry in files.scan(path)
    if entry.name.lower().endswith(_SUFFIXES)
  )
  if not found:
    raise FileNotFoundError(
      f'no image in {path}: expected names that end in {", ".join(_SUFFIXES)}'
    )
  return found


def find_frames(path: str) -> list[str]:
  """The frames of a folder, in order.

  Names that end in a number are ordered by it, and no number may be missing
  between the first and the last; names without any are ordered as text.

  Raises:
    FileNotFoundError: If there is none, or one is missing.
    NotADirectoryError: If the path is a file.
    ValueError: If two have one number, or not all names are alike.
  """
  if files.is_file(path):
    raise NotADirectoryError(
      f'{path} is a file: give --input a folder with the frames of a clip'
    )
  frames = find_images(path)
  names = [os.path.splitext(os.path.basename(frame))[0] for frame in frames]
  found = [re.fullmatch(r'(.*?)(\d+)', name) for name in names]
  if not any(found):
    return frames
  stems = [match[1] if match else None for match in found]
  usual = max(stems, key=stems.count)
  numbers = []
  for frame, match in zip(frames, found, strict=True):
    if match is None or match[1] != usual:
      raise ValueError(
        f'{frame} is not named {usual or ""}<number>, like other frames of the '
        'clip: rename it, or move it elsewhere'
      )
    numbers.append(int(match[2]))
  order = np.argsort(numbers, kind='stable')
  steps = np.diff(np.array(numbers)[order])
  for i, step in enumerate(steps.tolist()):
    before, after = (names[order[j]] for j in (i, i + 1))
    if step == 0:
      raise ValueError(
        f'two frames in {path}, {before} and {after}, have one number: rename '
        'or remove one'
      )
    if step != steps.min():
      raise FileNotFoundError(
        f'{path} lacks a frame between {before} and {after}: add it, or number '
        'the frames without gaps'
      )
  return [frames[i] for i in order]


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


def names_of(paths: list[str], folder: str) -> list[str]:
  """Their names without endings; ValueError if two share one."""
  names = [os.path.splitext(os.path.basename(path))[0] for path in paths]
  if len(set(names)) < len(names):
    twice = next(name for name in names if names.count(name) > 1)
    raise ValueError(
      f'two images in {folder} are named {twice}: rename one, since both '
      f'would become {twice}.png'
    )
  return names
