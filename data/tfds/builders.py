"""TFDS builders that pack a folder: TFDS' own, and ours for what TFDS lacks.

A record of ours has the image and label files of a sample as they are, and the
table of segments from the check; `record_index` reads them.
"""

import numpy as np
import tensorflow_datasets as tfds

from data.reading import spec as spec_lib
from data.reading import split_index
from panoptic import image_ids, maps


class PackedSamples(  # type: ignore[call-arg]
  tfds.core.GeneratorBasedBuilder, skip_registration=True
):
  """Writes one sample an example; `record_index` puts them in order."""

  VERSION = tfds.core.Version('1.1.0')
  RELEASE_NOTES = {
    '1.1.0': 'Ids of images may be texts.',
    '1.0.0': 'First release.',
  }

  def __init__(
    self, spec: spec_lib.FileSpec, packing: spec_lib.Packing, data_dir: str
  ):
    """Writes nothing yet.

    Args:
      spec: The data set.
      packing: The samples.
      data_dir: TFDS' data directory.
    """
    self.name = spec.records.folder
    self._spec, self._packing = spec, packing
    super().__init__(data_dir=data_dir)

  def _info(self):
    encoding = self._spec.encoding
    segment = {name: np.int64 for name in maps.Segment._fields}
    metadata = None
    if self._packing.classes is not None:
      categories = self._packing.classes.categories
      metadata = tfds.core.MetadataDict(
        categories=[[c.id, c.name, c.color, c.isthing] for c in categories]
      )
    return tfds.core.DatasetInfo(
      builder=self,
      features=tfds.features.FeaturesDict(
        {
          'image': tfds.features.Image(shape=(None, None, 3)),
          'labels': tfds.features.Image(
            shape=(None, None, encoding.channels),
            dtype=np.uint16 if encoding.bits == 16 else np.uint8,
            encoding_format='png',
          ),
          'name': tfds.features.Text(),
          'image_id': np.int64,
          # JSON; '' where it is `image_id`.
          'result_id': tfds.features.Text(),
          'sequence': tfds.features.Text(),
          'frame': np.int64,
          'segments': tfds.features.Sequence(segment),
        }
      ),
      metadata=metadata,
      **self._spec.records.about,
    )

  def _split_generators(self, dl_manager):
    del dl_manager
    return {
      split: self._generate_examples(listed)
      for split, listed in self._packing.samples.items()
    }

  def _generate_examples(self, listed):
    numbers, own_ids = split_index.number_ids([s.image_id for s in listed])
    texts = image_ids.dumps(own_ids) or [''] * len(listed)
    for sample, number, text in zip(listed, numbers, texts, strict=True):
      example = sample._asdict()
      example['image_id'], example['result_id'] = number, text
      del example['size']  # The image states it.
      example['segments'] = [segment._asdict() for segment in sample.segments]
      yield sample.name, example


def feed(fed: spec_lib.TfdsBuilder) -> tfds.core.GeneratorBasedBuilder:
  """Makes a builder of TFDS' take its files from a folder, if it has one."""
  builder = fed.builder
  if not fed.folder:
    return builder
  generate = builder._generate_examples

  def kept(*args, **kwargs):
    for key, example in generate(*args, **kwargs):
      if key not in fed.left_out:
        yield key, example

  builder._generate_examples = kept
  downloads = _Unpacked(fed.folder, fed.archives)
  builder._make_download_manager = lambda **kwargs: downloads
  return builder


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
    """The folder that stands in for the content of an archive."""
    del path
    return self._archives


def make(
  spec: spec_lib.FileSpec, packing: spec_lib.Packing | None, data_dir: str
) -> tfds.core.GeneratorBasedBuilder:
  """The builder of a data set's records.

  Args:
    spec: The data set.
    packing: The samples; None: TFDS downloads them.
    data_dir: TFDS' data directory.

  Raises:
    ValueError: If there are no samples, and TFDS cannot download them.
  """
  if spec.records.builder is not None:
    return feed(spec.records.builder(data_dir, packing))
  if packing is None:
    raise ValueError(
      f'--manual_dir is empty: {spec.name} cannot be downloaded by a program. '
      + spec.records.how_to_get
    )
  return PackedSamples(spec, packing, data_dir)
