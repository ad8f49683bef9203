"""The files of `--given` and `--first_mask`: maps that are known beforehand."""

import os
from collections.abc import Callable, Sequence

from configs import base
from data import registry
from data.datasets import coco_json
from data.reading import spec as spec_lib
from metrics import panoptic_files
from panoptic import classes as classes_lib
from panoptic import files, maps, png
from tasks import scorer
from tasks.prediction import completion, image_files, predict_files


class Folder:
  """A folder of label PNGs.

  They are in COCO's format, as results are, if `<folder>.json` stands beside
  the folder; else in that of the data set, if its PNGs alone say their
  segments, as those of KITTI-STEP and DAVIS do.
  """

  def __init__(
    self, folder: str, data_name: str, classes: classes_lib.ClassTable
  ):
    """Reads the JSON, but no PNG.

    Args:
      folder: Of the PNGs.
      data_name: Of the data set of the model.
      classes: Its table.

    Raises:
      FileNotFoundError: If the folder, or a JSON that is needed, is missing.
      ValueError: If the JSON is wrong, or of other classes.
    """
    folder = folder.rstrip('/')
    self._folder = (
      folder if files.is_remote(folder) else os.path.abspath(folder)
    )
    self._spec = registry.get(data_name)
    self._segments: dict[str, Sequence[maps.Segment]] | None = None
    self.json = f'{self._folder}.json'
    if not files.is_folder(self._folder):
      raise FileNotFoundError(
        f'{folder} is no folder: give the one of the PNGs that are known'
      )
    if files.is_file(self.json):
      content = coco_json.read_json(self.json)
      panoptic_files.check_same_categories(
        classes.categories, content, 'the classes of the model', self.json
      )
      self._segments = {
        entry['file_name']: [
          maps.Segment.from_json(segment) for segment in entry['segments_info']
        ]
        for entry in content['annotations']
      }
    elif not (
      isinstance(self._spec, spec_lib.FileSpec) and self._spec.find_segments
    ):
      raise FileNotFoundError(
        f'{self.json} is missing, which says the classes of the PNGs in '
        f"{folder}: write it in COCO's panoptic format"
      )

  def path(self, name: str) -> str:
    """The path of a PNG, by its name without the ending."""
    return os.path.join(self._folder, f'{name}.png')

  def has(self, name: str) -> bool:
    """Whether there is a PNG of that name."""
    if self._segments is not None:
      return f'{name}.png' in self._segments
    return files.is_file(self.path(name))

  def read(self, name: str) -> maps.PanopticMap:
    """Reads a map.

    Raises:
      FileNotFoundError: If there is no such PNG.
      ValueError: If it is none of the format, or not listed.
    """
    path = self.path(name)
    if self._segments is None:
      assert isinstance(self._spec, spec_lib.FileSpec)
      return self._spec.read_labels(path)
    if not self.has(name):
      raise ValueError(
        f'{self.json} does not list {name}.png, so its classes are unknown: '
        'add it'
      )
    segments = self._segments[f'{name}.png']
    ids = png.read_ids(path, png.COCO, [segment.id for segment in segments])
    # Areas of another map of the same image are no error.
    return maps.PanopticMap(ids, [s._replace(area=None) for s in segments])


def open_maps(
  given: str,
  first_mask: str,
  inputs: Sequence[predict_files.Input],
  config: base.Experiment,
  classes: classes_lib.ClassTable,
) -> Callable[[predict_files.Input], maps.PanopticMap | None]:
  """Opens the maps that are given of images, and checks all of them.

  Args:
    given: Folder with maps of images, or ''.
    first_mask: Mask of the first image, or ''.
    inputs: The images.
    config: The experiment of the model.
    classes: Its table.

  Returns:
    A function of an image, what is given of its map; None if nothing is.

  Raises:
    FileNotFoundError: If a file, a folder or a JSON is missing, or if no image
      has a map.
    ValueError: If one does not fit the model, its classes or its image.
  """
  folder, mask = None, None
  if given:
    folder = _of_images(given, inputs, config.data.name, classes)
  if first_mask:
    mask = read_first_mask(first_mask, config.data.name, classes)

  def given_of(item):
    if folder is not None and folder.has(item.name):
      return folder.read(item.name)
    return mask if item == inputs[0] else None

  rule = scorer.rule(config)
  for item in inputs if folder else inputs[:1]:
    known = given_of(item)
    if known is not None:
      size = item.size or image_files.read_image(item.path).shape[:2]
      path = folder.path(item.name) if folder else first_mask
      completion.prepare(
        known, size, size, config.model.mask_size, rule, classes, path
      )
  return given_of


def read_first_mask(
  path: str, data_name: str, classes: classes_lib.ClassTable
) -> maps.PanopticMap:
  """Reads the mask of a clip's first frame.

  Raises:
    FileNotFoundError: If it is missing, or the JSON that says its classes.
    ValueError: If it is no such PNG, or has no object.
  """
  folder, name = os.path.split(path)
  stem, ending = os.path.splitext(name)
  if ending != '.png':
    raise ValueError(f'--first_mask={path} is no PNG: give a label PNG')
  if not files.is_file(path):
    raise FileNotFoundError(
      f'--first_mask={path} does not exist: give the mask of the first frame'
    )
  found = Folder(folder or '.', data_name, classes).read(stem)
  if not [segment for segment in found.segments if not segment.iscrowd]:
    raise ValueError(
      f'{path} has no object to follow: label at least one in it'
    )
  return found


def _of_images(
  folder: str,
  inputs: Sequence[predict_files.Input],
  data_name: str,
  classes: classes_lib.ClassTable,
) -> Folder:
  """Opens the maps of images, one for each that has one."""
  found = Folder(folder, data_name, classes)
  with_map = [item for item in inputs if found.has(item.name)]
  if not with_map:
    raise FileNotFoundError(
      f'--given={folder} has no map of an image of --input, such as '
      f'{inputs[0].name}.png: give maps the names of their images'
    )
  print(f'{len(with_map)} of {len(inputs)} images have a given map.')
  return found
