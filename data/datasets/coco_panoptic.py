"""COCO panoptic 2017, from the official files.

They are in the format of `panoptic_folder`, with split `train2017` or
`val2017`. A folder is read with the categories of its JSON file; the records of
TFDS' own builder hold COCO's 133 categories only.
"""

import copy
import os
from collections.abc import Sequence

from data.datasets import coco_categories, coco_json, panoptic_folder
from data.reading import paths, spec
from panoptic import maps, png

_SPLITS = {'train2017': 'train', 'val2017': 'validation'}
_CLASSES = coco_categories.class_table()


def _unpacked_splits(folder: str) -> list[str]:
  """The splits that have images; all, if none has.

  One archive of COCO's holds the annotations of all splits.
  """
  splits = [s for s in panoptic_folder.splits(folder) if s in _SPLITS]
  return [s for s in splits if paths.has_folders(folder, (s,))] or splits


def _entries(features: spec.Features) -> list[spec.Entry]:
  """The image of a record of TFDS' `coco/2017_panoptic`."""
  columns = [
    features.get(f'panoptic_objects/{name}', ())
    for name in ('id', 'label', 'is_crowd', 'area')
  ]
  return [
    spec.Entry(
      features['image'][0],
      features['panoptic_image'][0],
      features['panoptic_image/filename'][0].decode(),
      features['image/id'][0],
      segments=[
        maps.Segment(id_, _CLASSES.categories[label].id, crowd, area)
        for id_, label, crowd, area in zip(*columns, strict=True)
      ],
    )
  ]


def _builder(data_dir: str, packing: spec.Packing | None) -> spec.TfdsBuilder:
  """TFDS' `coco/2017_panoptic`, from an official tree if there is one."""
  import tensorflow_datasets as tfds

  builder = tfds.object_detection.Coco(
    data_dir=data_dir, config='2017_panoptic'
  )
  if packing is None:
    return spec.TfdsBuilder(builder)
  # The registered configuration must stay as it is.
  config = copy.copy(builder.builder_config)
  config.splits = [s for s in config.splits if s.images in packing.samples]
  builder._builder_config = config
  return spec.TfdsBuilder(
    builder,
    packing.folder,
    os.path.join(packing.folder, 'annotations'),
    {os.path.basename(sample.image) for sample in packing.left_out},
  )


def _check_tree(folder: str) -> None:
  """TFDS' builder takes more for granted than reading the folder does.

  Raises:
    ValueError: If the categories are not COCO's, if a segment has no box, an
      image no annotation, or an id is a text.
  """
  for split in _unpacked_splits(folder):
    path = panoptic_folder.annotation(folder, split)
    content = coco_json.read_json(path)
    _require_coco([entry['name'] for entry in content['categories']], folder)
    annotated = {entry['image_id'] for entry in content['annotations']}
    for image in content['images']:
      if isinstance(image['id'], str):
        raise ValueError(
          f'{path}: the image id {image["id"]!r} is a text, and such records '
          'hold numbers: prepare the set with --dataset=panoptic_folder'
        )
      if image['id'] not in annotated:
        raise ValueError(
          f'{path}: image {image["id"]} has no annotation: remove it, or '
          'prepare the set with --dataset=panoptic_folder, which leaves it out'
        )
    for annotation in content['annotations']:
      for segment in annotation['segments_info']:
        if 'bbox' not in segment:
          raise ValueError(
            f'{path}: segment {segment["id"]} of image '
            f'{annotation["image_id"]} has no bbox: add it, or prepare the set '
            'with --dataset=panoptic_folder, which needs none'
          )


def _check_info(info, folder: str) -> None:
  _require_coco(info.features['panoptic_objects']['label'].names, folder)


def _require_coco(names: Sequence[str], folder: str) -> None:
  """Checks the names of categories, since TFDS keeps their positions alone."""
  if list(names) != [category.name for category in _CLASSES.categories]:
    raise ValueError(
      f"{folder} has other categories than COCO's 133, or another order of "
      'them: prepare it as a set of your own with --dataset=panoptic_folder'
    )


SPEC = spec.FileSpec(
  name='coco_panoptic',
  result_writer=spec.coco_results,
  classes=_CLASSES,
  encoding=png.COCO,
  tree=panoptic_folder.TREE._replace(splits=_unpacked_splits),
  records=spec.Records(
    os.path.join('coco', '2017_panoptic'),
    _entries,
    _builder,
    splits=_SPLITS,
    check_tree=_check_tree,
    check_info=_check_info,
  ),
)
