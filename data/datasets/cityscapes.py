"""Cityscapes panoptic, from the official files.

    <dir>/leftImg8bit/<split>/<city>/<city>_<..>_<..>_leftImg8bit.png
    <dir>/gtFine/<split>/<city>/<city>_<..>_<..>_gtFine_instanceIds.png

with split `train` or `val`. A label file is 16 bits of gray: the label id for
stuff, and 1000 times the label id plus a running number for an instance of a
thing. The label id of a thing by itself is a group without instances: a crowd.
Cordts et al. 2016, https://www.cityscapes-dataset.com.
"""

import os

import numpy as np

from data.reading import paths, samples, spec, trees
from panoptic import classes as classes_lib
from panoptic import maps, png

# Label id, name, thing, colour; in the order of the train ids 0 to 18.
_CATEGORIES = (
  (7, 'road', False, (128, 64, 128)),
  (8, 'sidewalk', False, (244, 35, 232)),
  (11, 'building', False, (70, 70, 70)),
  (12, 'wall', False, (102, 102, 156)),
  (13, 'fence', False, (190, 153, 153)),
  (17, 'pole', False, (153, 153, 153)),
  (19, 'traffic light', False, (250, 170, 30)),
  (20, 'traffic sign', False, (220, 220, 0)),
  (21, 'vegetation', False, (107, 142, 35)),
  (22, 'terrain', False, (152, 251, 152)),
  (23, 'sky', False, (70, 130, 180)),
  (24, 'person', True, (220, 20, 60)),
  (25, 'rider', True, (255, 0, 0)),
  (26, 'car', True, (0, 0, 142)),
  (27, 'truck', True, (0, 0, 70)),
  (28, 'bus', True, (0, 60, 100)),
  (31, 'train', True, (0, 80, 100)),
  (32, 'motorcycle', True, (0, 0, 230)),
  (33, 'bicycle', True, (119, 11, 32)),
)

# Label ids that training and scores leave out: unlabeled, ego vehicle,
# rectification border, out of roi, static, dynamic, ground, parking, rail
# track, guard rail, bridge, tunnel, polegroup, caravan, trailer.
IGNORED = (*range(7), 9, 10, 14, 15, 16, 18, 29, 30)

_IMAGE, _LABELS = '_leftImg8bit.png', '_gtFine_instanceIds.png'
_RESULT = '_gtFine_panoptic.png'
_TREE = trees.TwoFolders(
  'leftImg8bit',
  'gtFine',
  'leftImg8bit/ and gtFine/ of Cityscapes, both unpacked',
)


def class_table() -> classes_lib.ClassTable:
  """The 19 classes that are scored; category ids are the label ids."""
  return classes_lib.ClassTable(
    [classes_lib.Category(*row) for row in _CATEGORIES]
  )


def list_split(folder: str, split: str) -> samples.Listing:
  """The images of a split, by name.

  Raises:
    FileNotFoundError: If a folder is missing, or all of the images or of the
      labels.
    PermissionError: If a folder may not be read.
    ValueError: If images have another ending.
  """
  images, labels = _TREE.folders_of(folder, split)
  of_images, of_labels = _stems(images, _IMAGE), _stems(labels, _LABELS)
  return samples.Listing(
    [
      samples.Sample(
        # The name that the official panoptic files have.
        name=os.path.basename(stem) + _RESULT,
        # One of the two may be missing, which the check of files finds.
        image=os.path.join(images, stem + _IMAGE),
        labels=os.path.join(labels, stem + _LABELS),
        # The id that they have, too.
        image_id=os.path.basename(stem),
      )
      for stem in sorted(of_images | of_labels)
    ]
  )


def _stems(folder: str, ending: str) -> set[str]:
  """`<city>/<city>_<..>_<..>` of each file."""
  stems: set[str] = set()
  for city in paths.folders(folder):
    place = os.path.join(folder, city)
    names = paths.listing(place)
    if ending == _IMAGE:
      trees.check_endings(place, names, ending)
    stems |= {
      os.path.join(city, name.removesuffix(ending))
      for name in names
      if name.endswith(ending)
    }
  if not stems:
    archive = ending.split('_')[1].removesuffix('.png')
    raise FileNotFoundError(
      f'{folder} has no *{ending} in any folder of a city: unpack '
      f'{archive}_trainvaltest.zip there'
    )
  return stems


def find_segments(ids: np.ndarray, areas: np.ndarray) -> list[maps.Segment]:
  """The segments of a label file's ids, crowds and void among them.

  Raises:
    ValueError: If an id is none of Cityscapes; a clause without the file.
  """
  things = {row[0]: row[2] for row in _CATEGORIES}
  segments = []
  for segment_id, area in zip(ids.tolist(), areas.tolist(), strict=True):
    label = segment_id // 1000 if segment_id >= 1000 else segment_id
    if label in IGNORED:
      category, crowd = 0, 0
    elif label in things:
      category, crowd = label, int(things[label] and segment_id < 1000)
    else:
      raise ValueError(
        f'the id {segment_id} is no label of Cityscapes: is this an '
        '*_instanceIds.png file?'
      )
    segments.append(maps.Segment(segment_id, category, crowd, area))
  return segments


def _entries(features: spec.Features) -> list[spec.Entry]:
  """The image of a record; its id is in its name."""
  return [
    entry._replace(result_id=entry.name.removesuffix(_RESULT))
    for entry in spec.packed_entries(features)
  ]


SPEC = spec.FileSpec(
  name='cityscapes',
  result_writer=spec.coco_results,
  classes=class_table(),
  encoding=png.CITYSCAPES,
  find_segments=find_segments,
  tree=spec.Tree(_TREE.layout, _TREE.is_root, _TREE.splits, list_split),
  records=spec.Records(
    'cityscapes_panoptic',
    _entries,
    how_to_get='Register at https://www.cityscapes-dataset.com, fetch '
    'leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip, and unpack both '
    'in one folder.',
    about={
      'description': 'Street scenes of 50 cities: 2975 + 500 finely annotated '
      'images.',
      'homepage': 'https://www.cityscapes-dataset.com',
      'citation': '@inproceedings{Cordts2016Cityscapes, title={The Cityscapes '
      'Dataset for Semantic Urban Scene Understanding}, author={Cordts, Marius '
      'and Omran, Mohamed and Ramos, Sebastian and Rehfeld, Timo and '
      'Enzweiler, Markus and Benenson, Rodrigo and Franke, Uwe and Roth, '
      'Stefan and Schiele, Bernt}, booktitle={CVPR}, year={2016}}',
      'license': 'Its own licence: for non-commercial research, not to be '
      'passed on.',
    },
  ),
)
