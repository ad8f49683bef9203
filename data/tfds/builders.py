"""TFDS builders for what TFDS lacks, and its own ones fed from a folder.

Ours keep both files of a frame as they are, and the table of its segments,
which the check has found or compared; `data.records` reads them.
"""

import copy
import os
import sys
import tempfile
from typing import Dict, List

import numpy as np
import tensorflow_datasets as tfds

from data.datasets import cityscapes, coco, davis, kitti_step
from data.reading import samples
from panoptic import maps, png


def checked_key(split: str, frame: samples.Sample) -> str:
  """What a frame is called in the results of the check."""
  return f'{split}/{frame.name}'


class _Frames(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """One frame an example; `data.records` puts them in order.

  Attributes:
    checked: Segments by `checked_key`; what is not there is checked now.
    skipped: `checked_key`s of what to leave out.
  """

  VERSION = tfds.core.Version('1.0.0')
  RELEASE_NOTES = {'1.0.0': 'First release.'}
  encoding = png.COCO
  find_segments = None
  own_metadata = None

  def __init__(self, **kwargs):
    super().__init__(**kwargs)
    self.checked: Dict[str, List[maps.Segment]] = {}
    self.skipped: frozenset = frozenset()

  @staticmethod
  def frames(folder: str) -> Dict[str, List[samples.Sample]]:
    """The frames of an official tree, by split."""
    raise NotImplementedError

  def _dataset_info(self, description, homepage, citation, licence):
    wide = self.encoding.bits == 16
    shape = (None, None, self.encoding.channels)
    segment = {name: np.int64 for name in maps.Segment._fields}
    return tfds.core.DatasetInfo(
      builder=self,
      description=description,
      features=tfds.features.FeaturesDict(
        {
          'image': tfds.features.Image(shape=(None, None, 3)),
          'labels': tfds.features.Image(
            shape=shape,
            dtype=np.uint16 if wide else np.uint8,
            encoding_format='png',
          ),
          'name': tfds.features.Text(),
          'image_id': np.int64,
          'sequence': tfds.features.Text(),
          'frame': np.int64,
          'segments': tfds.features.Sequence(segment),
        }
      ),
      homepage=homepage,
      citation=citation,
      license=licence,
      metadata=self.own_metadata,
    )

  def _split_generators(self, dl_manager):
    found = self.frames(os.fspath(dl_manager.manual_dir))
    return {
      split: self._generate_examples(split, frames)
      for split, frames in found.items()
    }

  def _generate_examples(self, split, frames):
    for frame in frames:
      key = checked_key(split, frame)
      if key in self.skipped:
        continue
      if key in self.checked:
        segments = self.checked[key]
      else:
        _, segments = samples.check(frame, self.encoding, self.find_segments)
      yield (
        frame.name,
        {
          'image': frame.image,
          'labels': frame.labels,
          'name': frame.name,
          'image_id': frame.image_id,
          'sequence': frame.sequence,
          'frame': frame.frame,
          'segments': [segment._asdict() for segment in segments],
        },
      )


def _existing(module, folder: str, images: str, masks: str):
  """The frames of the splits whose images are there; of the first if none."""
  splits = []
  for split in module.SPLITS:
    if os.path.isdir(os.path.join(folder, images, split)):
      splits.append(split)
    elif os.path.isdir(os.path.join(folder, masks, split)):
      print(
        f'{split} is left out: {folder} has {masks}/{split}, but no '
        f'{images}/{split}',
        file=sys.stderr,
      )
  return {
    split: module.list_frames(folder, split)
    for split in splits or module.SPLITS[:1]
  }


class CityscapesPanoptic(_Frames):
  """Cityscapes with instances, of which TFDS has the semantic labels only."""

  MANUAL_DOWNLOAD_INSTRUCTIONS = (
    'Register at https://www.cityscapes-dataset.com, fetch '
    'leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip, and unpack both '
    'in the manual directory.'
  )
  encoding = cityscapes.ENCODING
  find_segments = staticmethod(cityscapes.find_segments)

  def _info(self):
    return self._dataset_info(
      'Street scenes of 50 cities: 2975 + 500 finely annotated images.',
      'https://www.cityscapes-dataset.com',
      '@inproceedings{Cordts2016Cityscapes, title={The Cityscapes Dataset for '
      'Semantic Urban Scene Understanding}, author={Cordts, Marius and Omran, '
      'Mohamed and Ramos, Sebastian and Rehfeld, Timo and Enzweiler, Markus '
      'and Benenson, Rodrigo and Franke, Uwe and Roth, Stefan and Schiele, '
      'Bernt}, booktitle={CVPR}, year={2016}}',
      'Its own licence: for non-commercial research, not to be passed on.',
    )

  @staticmethod
  def frames(folder):
    return _existing(cityscapes, folder, 'leftImg8bit', 'gtFine')


class KittiStep(_Frames):
  """Video panoptic segmentation of KITTI's tracking benchmark."""

  MANUAL_DOWNLOAD_INSTRUCTIONS = (
    'Fetch the left colour images of the KITTI tracking benchmark and the '
    'panoptic maps of KITTI-STEP, and put them as docs/data.md draws it.'
  )
  encoding = kitti_step.ENCODING
  find_segments = staticmethod(kitti_step.find_segments)

  def _info(self):
    return self._dataset_info(
      'Videos of traffic with a class and a track for every pixel: 12 + 9 '
      'sequences.',
      'https://www.cvlibs.net/datasets/kitti/eval_step.php',
      '@inproceedings{Weber2021STEP, title={{STEP}: Segmenting and Tracking '
      'Every Pixel}, author={Weber, Mark and Xie, Jun and Collins, Maxwell and '
      'Zhu, Yukun and Voigtlaender, Paul and Adam, Hartwig and Green, Bradley '
      'and Geiger, Andreas and Leibe, Bastian and Cremers, Daniel and Osep, '
      'Aljosa and Leal-Taixe, Laura and Chen, Liang-Chieh}, '
      'booktitle={NeurIPS Datasets and Benchmarks}, year={2021}}',
      'CC BY-NC-SA 3.0, as KITTI.',
    )

  @staticmethod
  def frames(folder):
    return _existing(kitti_step, folder, 'images', 'panoptic_maps')


class PanopticFolder(_Frames):
  """A set of the user's own, in the format of COCO panoptic."""

  MANUAL_DOWNLOAD_INSTRUCTIONS = 'See docs/data.md.'

  def __init__(self, categories=(), **kwargs):
    self.own_metadata = tfds.core.MetadataDict(categories=categories)
    super().__init__(**kwargs)

  def _info(self):
    return self._dataset_info(
      'Pictures or videos in the format of COCO panoptic.', '', '', ''
    )

  @staticmethod
  def frames(folder):
    return {
      split: coco_frames(folder, split) for split in coco.splits_of(folder)
    }


def coco_frames(folder: str, split: str) -> List[samples.Sample]:
  """A folder in COCO's format as frames, whose files may be missing.

  Errors as `coco.read_folder`.
  """
  content = coco.read_folder(folder, split, complete=False)
  frames = []
  for i, name in enumerate(content.names):
    rows = content.segments[content.splits[i] : content.splits[i + 1]]
    of_video = content.sequence is not None
    number = int(content.sequence[i]) if of_video else 0
    first = int((content.sequence < number).sum()) if of_video else i
    frames.append(
      samples.Sample(
        name=name,
        image=content.images.paths[i],
        labels=content.labels.paths[i],
        image_id=int(content.image_ids[i]),
        sequence=content.sequences[number] if of_video else '',
        frame=i - first,
        size=tuple(content.sizes[i].tolist()),
        segments=tuple(maps.Segment(*row) for row in rows.tolist()),
      )
    )
  return frames


class _Unpacked:
  """Stands in for TFDS' downloads: everything is there already."""

  downloaded_size = 0

  def __init__(self, folder: str, archives: str):
    self._folder, self._archives = folder, archives

  def download_and_extract(self, urls):
    """A folder for every URL."""
    if isinstance(urls, dict):
      return {name: self._folder for name in urls}
    return tfds.core.Path(self._folder)

  def extract(self, path):
    """The folder of what an archive inside another would hold."""
    del path
    return self._archives


def coco_builder(data_dir: str, folder: str | None, skipped):
  """TFDS' `coco/2017_panoptic`, from an official tree if there is one.

  Args:
    data_dir: TFDS' data directory.
    folder: Root of the tree; None: TFDS downloads it.
    skipped: Names of images to leave out, as the JSON file has them.
  """
  builder = tfds.object_detection.Coco(
    data_dir=data_dir, config='2017_panoptic'
  )
  if folder is not None:
    # The registered configuration must stay as it is.
    config = copy.copy(builder.builder_config)
    present = coco.unpacked_splits(folder)
    config.splits = [s for s in config.splits if s.images in present]
    builder._builder_config = config
    archives = os.path.join(folder, 'annotations')
    _feed(builder, _Unpacked(folder, archives), skipped)
  return builder


def davis_builder(data_dir: str, folder: str | None, skipped):
  """TFDS' `davis/480p`, as `coco_builder`; `skipped` are sequences."""
  builder = tfds.video.Davis(data_dir=data_dir, config='480p')
  if folder is not None:
    # The archive has a folder around the tree. Its lists of sequences lack what
    # is skipped, since the builder decodes all labels of those that it finds.
    builder.around = tempfile.TemporaryDirectory(prefix='davis')
    around = builder.around.name
    lists = os.path.join(around, 'DAVIS', 'ImageSets', '2017')
    os.makedirs(lists)
    for part, known_as in (
      ('JPEGImages', 'JPEGImages'),
      (davis.masks_folder(folder), 'Annotations'),
    ):
      os.symlink(
        os.path.abspath(os.path.join(folder, part)),
        os.path.join(around, 'DAVIS', known_as),
      )
    for split in davis.SPLITS:
      kept = [s for s in davis.sequences(folder, split) if s not in skipped]
      with open(os.path.join(lists, f'{split}.txt'), 'w') as file:
        file.write(''.join(f'{sequence}\n' for sequence in kept))
    _feed(builder, _Unpacked(around, around), frozenset())
  return builder


def _feed(builder, downloads, skipped) -> None:
  """Makes a builder take its files from a folder, and leave some out."""
  generate = builder._generate_examples

  def kept(*args, **kwargs):
    for key, example in generate(*args, **kwargs):
      if key not in skipped:
        yield key, example

  builder._generate_examples = kept
  builder._make_download_manager = lambda **kwargs: downloads
