"""Converts a JSON file of COCO's instances to the format of COCO panoptic.

  python -m data.instances_to_panoptic --dir=mine --split=train \
      --instances=mine/annotations/instances_train.json

Writes `<dir>/annotations/panoptic_<split>/*.png` and `panoptic_<split>.json`
beside them. Every category is a thing. Where objects overlap, smaller ones lie
over larger ones; pixels of no object are void.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tqdm
from absl import app, flags
from pycocotools import mask as mask_lib

from data.datasets import coco_json
from data.reading import coco_masks, result_names
from panoptic import files, png, runs
from panoptic.console import command_line

Entry = Mapping[str, Any]


class Converted(NamedTuple):
  """What was written.

  Attributes:
    path: The panoptic file.
    images: Their number.
    segments: Their number.
    hidden: Objects that no pixel is left of, which have no segment.
  """

  path: str
  images: int
  segments: int
  hidden: int


def convert(instances: str, folder: str, split: str) -> Converted:
  """Converts a file, all of which is checked before anything is written.

  Args:
    instances: The JSON file.
    folder: Root of the data set, on a local disk.
    split: The folder in there that holds its images.

  Raises:
    FileExistsError: If the split has panoptic files already.
    FileNotFoundError: If there is no such file.
    ValueError: If something in it is missing or malformed.
  """
  if files.is_remote(folder):
    raise ValueError(
      f'--dir={folder} is not on a local disk: convert on one, and copy the '
      'files'
    )
  labels = os.path.join(folder, 'annotations', f'panoptic_{split}')
  path, partial = f'{labels}.json', f'{labels}.partial'
  for taken in (path, labels):
    if files.exists(taken):
      raise FileExistsError(
        f'{taken} exists already: remove it, or choose another --split'
      )
  if not files.is_file(instances):
    raise FileNotFoundError(
      f"{instances} does not exist: give a JSON file of COCO's instances"
    )
  content = coco_json.read_instances(instances)
  try:
    objects = _objects(content)
    names = result_names.result_names(
      [os.path.splitext(image['file_name'])[0] for image in content['images']],
      lambda index: f'image {content["images"][index]["id"]}',
    )
  except ValueError as error:
    raise ValueError(f'{instances}: {error}') from error
  # Of a conversion that was stopped.
  shutil.rmtree(partial, ignore_errors=True)
  annotations = []
  images = tqdm.tqdm(content['images'], desc='drawing masks', mininterval=2)
  for image, name in zip(images, names, strict=True):
    size = image['height'], image['width']
    ids, segments = draw(objects[image['id']], size)
    png.write_ids(os.path.join(partial, name), ids, png.COCO)
    annotations.append(
      {'image_id': image['id'], 'file_name': name, 'segments_info': segments}
    )
  panoptic = {
    'images': content['images'],
    'annotations': annotations,
    'categories': [{**c, 'isthing': 1} for c in content['categories']],
  }
  os.rename(partial, labels)
  files.write_text(path, json.dumps(panoptic))
  count = sum(len(entry['segments_info']) for entry in annotations)
  hidden = len(content['annotations']) - count
  return Converted(path, len(annotations), count, hidden)


def draw(
  objects: Sequence[Entry], size: tuple[int, int]
) -> tuple[np.ndarray, list[dict[str, int]]]:
  """The mask of an image.

  Args:
    objects: Its annotations, in COCO's format of instances.
    size: Its rows and columns.

  Returns:
    int32 `[h, w]`, the id of the segment at each pixel, 0 for void; and the
    entries of `segments_info`, with ids from 1 in the order of the objects.
    Those that no pixel is left of are not among them.
  """
  masks = [coco_masks.encode(o['segmentation'], size) for o in objects]
  ids = np.zeros(size, np.int32)
  order = np.argsort(
    [-int(mask_lib.area(mask)) for mask in masks], kind='stable'
  )
  for i in order.tolist():
    ids[mask_lib.decode(masks[i]) > 0] = i + 1
  values, areas = runs.areas(ids)
  new_ids = np.zeros(len(objects) + 1, np.int32)
  new_ids[values] = np.arange(1, len(values) + 1)
  segments = [
    {
      'id': number,
      'category_id': objects[value - 1]['category_id'],
      'iscrowd': int(objects[value - 1].get('iscrowd', 0)),
      'area': area,
    }
    for number, (value, area) in enumerate(
      zip(values.tolist(), areas.tolist(), strict=True), start=1
    )
  ]
  return new_ids[ids], segments


def _objects(content: Mapping[str, Sequence[Entry]]) -> dict[Any, list[Entry]]:
  """The annotations of each image, by its id.

  Raises:
    ValueError: If there is none, or if one is malformed.
  """
  sizes: dict[Any, tuple[int, int]] = {}
  for image in content['images']:
    if image['id'] in sizes:
      raise ValueError(f'image id {image["id"]} stands twice: remove one')
    sizes[image['id']] = image['height'], image['width']
  if not content['annotations']:
    raise ValueError('there is no annotation: give at least one')
  classes = coco_json.class_table(
    [{**category, 'isthing': 1} for category in content['categories']]
  )
  known = {category.id for category in classes.categories}
  objects: dict[Any, list[Entry]] = {key: [] for key in sizes}
  for number, entry in enumerate(content['annotations']):
    key, category = entry['image_id'], entry['category_id']
    where = f'annotation {entry.get("id", number)} of image {key}'
    if key not in sizes:
      raise ValueError(f'{where} has no such image: add it, or remove this')
    if category not in known:
      raise ValueError(
        f'{where} has the category_id {category}, which is none of the '
        f'{len(known)} categories: add it there, or correct it here'
      )
    try:
      coco_masks.check(entry['segmentation'], sizes[key])
    except ValueError as error:
      raise ValueError(f'{where} has {error}') from error
    objects[key].append(entry)
  return objects


def _define_flags() -> None:
  for name, text in (
    ('instances', "A JSON file of COCO's instances."),
    ('dir', 'Root of the data set, for data.dir.'),
  ):
    command_line.define_path(name, None, text, required=True)
  flags.DEFINE_string(
    'split', None, 'The folder in there that holds the images.', required=True
  )


def _run() -> None:
  values = flags.FLAGS
  done = convert(values.instances, values.dir, values.split)
  print(f'{done.path}: {done.images} images, {done.segments} segments')
  if done.hidden:
    print(f'{done.hidden} objects are left out: others hide all their pixels')
  print(f'check it by python -m data.check --dir={values.dir}')


def main(argv) -> None:
  """Runs the flags."""
  command_line.run(argv, _run)


if __name__ == '__main__':
  _define_flags()
  app.run(main)
