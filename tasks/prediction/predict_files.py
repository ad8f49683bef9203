"""The images that `--mode=predict` reads, and the files that it writes."""

import json
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from data.reading import paths as paths_lib
from panoptic import files, image_ids
from tasks.prediction import image_files

# What is written to the output folder.
_RESULTS = (
  *('panoptic', 'panoptic.json', 'overlay', 'overlay.mp4', 'trajectory'),
  'masks',
)


class Input(NamedTuple):
  """An image to segment.

  Attributes:
    path: Its file.
    file_name: Its name in the list of images.
    image_id: Its id in result files.
    size: Rows and columns, where they are known before it is read.
  """

  path: str
  file_name: str
  image_id: image_ids.ImageId
  size: tuple[int, int] | None = None

  @property
  def name(self) -> str:
    """The name of its result files, without the ending."""
    return os.path.splitext(self.file_name)[0]


def find(path: str, is_clip: bool, image_list: str = '') -> list[Input]:
  """The images to segment, in order.

  Without a list, an image whose name is a number has that for its id, and
  another one its name.

  Args:
    path: An image or a folder.
    is_clip: Whether they are the frames of a clip.
    image_list: JSON with "images", each with its "id" and its "file_name" below
      the folder; '' for all images of the folder, which are in natural order.

  Raises:
    FileNotFoundError: If there is no image, or if one of the list is missing.
    NotADirectoryError: If a clip is a file.
    ValueError: If two have one name or one id, or if the list or the names of
      frames are wrong.
  """
  find_paths = image_files.find_frames if is_clip else image_files.find_images
  if image_list:
    found = _listed(path, is_clip, image_list)
  else:
    found = [_by_name(found) for found in find_paths(path)]
  where = image_list or path
  names: dict[str, Input] = {}
  ids: dict[str, Input] = {}
  for item in found:
    if names.setdefault(item.name, item) is not item:
      raise ValueError(
        f'two images in {where} are named {item.name}: rename one, since both '
        f'would become {item.name}.png'
      )
    other = ids.setdefault(str(item.image_id), item)
    if other is not item:
      raise ValueError(
        f'{other.file_name} and {item.file_name} in {where} have one id, '
        f'{item.image_id}: give each its own'
      )
  return found


def of_video(path: str, count: int, size: tuple[int, int]) -> list[Input]:
  """The frames of a video file, which are named by their numbers from 0 on.

  Args:
    path: Of the file.
    count: Of frames.
    size: Rows and columns.
  """
  return [Input(path, f'{i:06d}.png', i, size) for i in range(count)]


def _by_name(path: str) -> Input:
  file_name = os.path.basename(path)
  stem = os.path.splitext(file_name)[0]
  return Input(path, file_name, image_ids.from_name(stem))


def _listed(path: str, is_clip: bool, image_list: str) -> list[Input]:
  """The images of a list; of a single file, its entry alone."""
  if not files.exists(path):
    raise FileNotFoundError(f'there is no image or folder at {path!r}')
  entries = _read_list(image_list)
  folder = path
  if not is_clip and files.is_file(path):
    folder, name = os.path.split(path)
    entries = [entry for entry in entries if entry[0] == name]
    if not entries:
      raise ValueError(
        f'{image_list} lists no image with the file_name {name}: add it, or '
        'leave out --image_list'
      )
  found = {os.path.join(folder, name): image_id for name, image_id in entries}
  missing = paths_lib.missing(list(found))
  if missing:
    raise FileNotFoundError(
      f'{len(missing)} of the {len(found)} images of {image_list} are missing, '
      f'the first being {missing[0]}: fetch them, or give --input another '
      'folder'
    )
  order = list(found)
  if is_clip:
    order = image_files.in_order_of_frames(order, folder)
  start = os.path.join(folder, '') if folder else ''
  return [Input(p, p.removeprefix(start), found[p]) for p in order]


def _read_list(path: str) -> list[tuple[str, image_ids.ImageId]]:
  """The file names and ids of a JSON's images, in its order."""
  if not files.is_file(path):
    raise FileNotFoundError(f'--image_list={path} does not exist')
  text = files.read_text(path)
  try:
    content = json.loads(text)
  except ValueError as error:
    raise ValueError(f'{path} is not JSON: {error}') from error
  entries = content.get('images') if isinstance(content, dict) else None
  if not isinstance(entries, list) or not entries:
    raise ValueError(
      f'{path} has no list "images": give a JSON such as COCO\'s '
      'image_info_test-dev2017.json'
    )
  found: dict[str, image_ids.ImageId] = {}
  for number, entry in enumerate(entries):
    name, image_id = _entry(entry, f'{path}: image {number}')
    if name in found:
      raise ValueError(f'{path} lists {name} twice: keep one of the two')
    found[name] = image_id
  return list(found.items())


def _entry(entry: Any, where: str) -> tuple[str, image_ids.ImageId]:
  if not isinstance(entry, dict) or not {'id', 'file_name'} <= entry.keys():
    raise ValueError(f'{where} has not both "id" and "file_name": add them')
  name = entry['file_name']
  if not isinstance(name, str) or not name:
    raise ValueError(f'{where} has the file_name {name!r}: write a text')
  if name.startswith('/') or '..' in name.split('/'):
    raise ValueError(
      f'{where} has the file_name {name!r}: write its path below the folder'
    )
  try:
    return name, image_ids.parse(entry['id'])
  except ValueError as error:
    raise ValueError(f'{where}: {error}') from error


def check_output(
  folder: str,
  inputs: Sequence[Input],
  overwrite: bool = False,
  given: Sequence[str] = (),
) -> None:
  """Refuses a folder that has results, since two would be mixed.

  Args:
    folder: The output folder, which may not exist.
    inputs: The images.
    overwrite: Whether the results may be replaced.
    given: Files or folders of maps that are read, too.

  Raises:
    FileExistsError: If there are results.
    ValueError: If `clear_output` would remove an image or a map.
  """
  there = [name for name in _RESULTS if _has_content(folder, name)]
  if there and not overwrite:
    raise FileExistsError(
      f'{folder} has {", ".join(there)} already: choose another --output, or '
      'replace them by --overwrite'
    )
  starts = [os.path.join(_absolute(folder), name, '') for name in there]
  for item in inputs:
    if _absolute(item.path).startswith(tuple(starts)):
      raise ValueError(
        f'{item.path} is an image of --input, and --overwrite would remove it: '
        'choose another --output'
      )
  for path in given:
    if os.path.join(_absolute(path), '').startswith(tuple(starts)):
      raise ValueError(
        f'{path} is given, and --overwrite would remove it: choose another '
        '--output'
      )


def clear_output(folder: str) -> None:
  """Removes the results of a folder, and nothing else."""
  for name in _RESULTS:
    path = os.path.join(folder, name)
    if files.is_folder(path):
      files.remove_folder(path)
    elif files.exists(path):
      files.remove(path)


def _has_content(folder: str, name: str) -> bool:
  path = os.path.join(folder, name)
  if files.is_folder(path):
    return bool(files.scan(path))
  return files.exists(path)


def _absolute(path: str) -> str:
  return path if files.is_remote(path) else os.path.realpath(path)
