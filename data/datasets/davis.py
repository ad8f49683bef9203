"""DAVIS 2017, from the official files.

    <dir>/ImageSets/2017/<split>.txt
    <dir>/JPEGImages/480p/<sequence>/%05d.jpg
    <dir>/Annotations/480p/<sequence>/%05d.png

with split `train` or `val`; the labels of the unsupervised task, which alone
have void, are in Annotations_unsupervised/ and preferred. A label file is a PNG
with a palette, whose colour numbers are the objects of the sequence; 0 is
background, 255 is void. There are no classes: all objects are of one.
Pont-Tuset et al. 2017, https://davischallenge.org.
"""

import itertools
import os
import tempfile

import numpy as np

from data.reading import paths, samples, spec, trees
from panoptic import classes as classes_lib
from panoptic import maps, natural_order, png, result_files

_SPLITS = ('train', 'val')
_VOID = 255
_LAYOUT = 'ImageSets/, JPEGImages/ and Annotations/ of DAVIS 2017'


def class_table() -> classes_lib.ClassTable:
  """A single class; background is void."""
  return classes_lib.ClassTable(
    [classes_lib.Category(1, 'object', True, classes_lib.palette_color(0))]
  )


def _is_root(folder: str) -> bool:
  return paths.has_folders(folder, ('ImageSets/2017',))


def _list_of(folder: str, split: str) -> str:
  """The path of the list of a split's sequences."""
  return os.path.join(folder, 'ImageSets', '2017', f'{split}.txt')


def _sequences(folder: str, split: str) -> list[str]:
  """The names of a split's sequences, in natural order."""
  path = _list_of(folder, split)
  paths.require(
    path, f'the folder must hold {_LAYOUT}' + paths.nearby(folder, _is_root)
  )
  found = natural_order.in_order(paths.read_text(path).split())
  for before, after in itertools.pairwise(found):
    if before == after:
      raise ValueError(f'{path} lists {before} twice: remove one line')
  return found


def _labels_folder(folder: str) -> str:
  """The name of the folder of labels: the unsupervised task's, if it is there.

  Models that are given no object are scored by these.
  """
  preferred = 'Annotations_unsupervised'
  there = paths.has_folders(folder, (f'{preferred}/480p',))
  return preferred if there else 'Annotations'


def list_split(folder: str, split: str) -> samples.Listing:
  """The frames of a split, by sequence and number.

  Raises:
    FileNotFoundError: If a folder is missing, or a frame between others, its
      image and its labels.
    PermissionError: If a folder may not be read.
    ValueError: If a sequence holds a file that is no frame.
  """
  frames: list[samples.Sample] = []
  for sequence in _sequences(folder, split):
    images, labels = (
      os.path.join(folder, part, '480p', sequence)
      for part in ('JPEGImages', _labels_folder(folder))
    )
    for needed in (images, labels):
      paths.require(
        needed,
        f'{_list_of(folder, split)} names the sequence; unpack the archive of '
        'DAVIS again, or remove the name',
      )
    names = paths.listing(images)
    trees.check_endings(images, names, '.jpg')
    for name in names:
      stem, ending = os.path.splitext(name)
      if ending != '.jpg' or not natural_order.is_number(stem):
        raise ValueError(
          f'{os.path.join(images, name)} is no frame <number>.jpg: remove it'
        )
    frames += trees.frames(
      sequence, images, labels, '.jpg', len(frames) + 1, first_frame=0
    )
  return samples.Listing(frames)


def find_segments(ids: np.ndarray, areas: np.ndarray) -> list[maps.Segment]:
  """The objects of a label file's ids; 255 is void."""
  return [
    maps.Segment(segment_id, int(segment_id != _VOID), 0, area)
    for segment_id, area in zip(ids.tolist(), areas.tolist(), strict=True)
  ]


def result_writer(
  folder: str, classes: classes_lib.ClassTable
) -> result_files.PngResults:
  """A result in DAVIS' format: segment ids as they are, without classes."""
  del classes
  return result_files.PngResults(
    folder, png.DAVIS, lambda prediction: prediction.segment_ids
  )


def _entries(features: spec.Features) -> list[spec.Entry]:
  """The frames of a record of TFDS' `davis/480p`, a video each."""
  (name,) = (name.decode() for name in features['metadata/video_name'])
  pairs = zip(
    features['video/frames'], features['video/segmentations'], strict=True
  )
  return [
    spec.Entry(image, labels, f'{name}/{i:05d}.png', -1, name, i)
    for i, (image, labels) in enumerate(pairs)
  ]


def _builder(data_dir: str, packing: spec.Packing | None) -> spec.TfdsBuilder:
  """TFDS' `davis/480p`, from an official tree if there is one."""
  import tensorflow_datasets as tfds

  builder = tfds.video.Davis(data_dir=data_dir, config='480p')
  if packing is None:
    return spec.TfdsBuilder(builder)
  # The archive has a folder around the tree. Its lists of sequences lack the
  # ones that are left out, since the builder decodes all labels that it finds.
  builder.around = tempfile.TemporaryDirectory(prefix='davis')
  around = builder.around.name
  lists = os.path.dirname(_list_of(os.path.join(around, 'DAVIS'), ''))
  os.makedirs(lists)
  for part, known_as in (
    ('JPEGImages', 'JPEGImages'),
    (_labels_folder(packing.folder), 'Annotations'),
  ):
    os.symlink(
      os.path.abspath(os.path.join(packing.folder, part)),
      os.path.join(around, 'DAVIS', known_as),
    )
  for split, kept in packing.samples.items():
    with open(os.path.join(lists, f'{split}.txt'), 'w') as file:
      names = dict.fromkeys(sample.sequence for sample in kept)
      file.write(''.join(f'{name}\n' for name in names))
  return spec.TfdsBuilder(builder, around, around)


SPEC = spec.FileSpec(
  name='davis',
  result_writer=result_writer,
  classes=class_table(),
  encoding=png.DAVIS,
  find_segments=find_segments,
  is_void_usual=True,
  no_segments_hint='masks of 0 and 255 are those of DAVIS 2016, of one object, '
  'but 255 is void in DAVIS 2017: write the object as 1',
  tree=spec.Tree(_LAYOUT, _is_root, lambda folder: _SPLITS, list_split),
  records=spec.Records(
    os.path.join('davis', '480p'),
    _entries,
    _builder,
    splits={'val': 'validation'},
  ),
)
