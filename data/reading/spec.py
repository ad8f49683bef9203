"""The description of a data set, which its module in `data.datasets` holds.

Nothing here needs TensorFlow. Functions that need it import it themselves.
"""

import dataclasses
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from data.reading import samples
from panoptic import classes as classes_lib
from panoptic import image_ids, maps, png, result_files

if TYPE_CHECKING:
  from configs import base
  from data import dataset

ResultWriterFactory = Callable[
  [str, classes_lib.ClassTable], result_files.ResultWriter
]


class Entry(NamedTuple):
  """One frame in a TFDS record.

  `image_id` is -1 and `segments` None where the record does not state them.
  `result_id` is the data set's own id where that is not `image_id`.
  """

  image: bytes
  labels: bytes
  name: str
  image_id: int = -1
  sequence: str = ''
  frame: int = 0
  segments: Sequence[maps.Segment] | None = None
  result_id: image_ids.ImageId | None = None


Features = Mapping[str, Any]  # Lists of values, by the feature's name.


def packed_entries(features: Features) -> list[Entry]:
  """The frame of a record that `data.tfds.builders.PackedSamples` wrote."""
  columns = [
    features.get(f'segments/{name}', ()) for name in maps.Segment._fields
  ]
  # Records of earlier versions, and of whole numbers, have none.
  own_ids = [text for text in features.get('result_id', ()) if text]
  return [
    Entry(
      features['image'][0],
      features['labels'][0],
      features['name'][0].decode(),
      features['image_id'][0],
      features['sequence'][0].decode(),
      features['frame'][0],
      [maps.Segment(*row) for row in zip(*columns, strict=True)],
      *image_ids.loads(text.decode() for text in own_ids),
    )
  ]


class Packing(NamedTuple):
  """The content of new records.

  Attributes:
    folder: Root of the official tree.
    samples: By split; each has its segments.
    left_out: Samples of the tree that must not be packed.
    classes: The tree's own class table; None: the data set's.
  """

  folder: str
  samples: Mapping[str, Sequence[samples.Sample]]
  left_out: Sequence[samples.Sample] = ()
  classes: classes_lib.ClassTable | None = None


class TfdsBuilder(NamedTuple):
  """A builder of TFDS' own, and the folders that stand in for its downloads.

  Attributes:
    builder: The builder.
    folder: In place of the unpacked downloads; '': it downloads them.
    archives: In place of an unpacked archive inside another.
    left_out: Keys of examples that are not to be written.
  """

  builder: Any
  folder: str = ''
  archives: str = ''
  left_out: Collection[str] = ()


class Tree(NamedTuple):
  """The official files of a data set.

  Attributes:
    layout: The folders that the root must hold, for messages.
    is_root: Whether a folder is such a root.
    splits: The splits that a root has.
    list_split: The samples of a split. Raises FileNotFoundError,
      PermissionError or ValueError for the first thing that is wrong with
      folders and annotations; files may be missing.
    annotation: The path of the file that states all segments and sizes of a
      split. Raises FileNotFoundError if a part of the tree is missing. None:
      the label files themselves say the segments.
    nearby: A clause on what lies in a folder that is no root, if it can be made
      one; '' if nothing.
  """

  layout: str
  is_root: Callable[[str], bool]
  splits: Callable[[str], Sequence[str]]
  list_split: Callable[[str, str], samples.Listing]
  annotation: Callable[[str, str], str] | None = None
  nearby: Callable[[str], str] = lambda folder: ''


class Records(NamedTuple):
  """The TFDS records of a data set.

  Attributes:
    folder: Below TFDS' data directory, without the version.
    entries: The frames of a record's features.
    builder: Makes TFDS' own builder, which writes into a data directory and
      downloads the files if there is no `Packing`. None: TFDS has none, and
      `data.tfds.builders.PackedSamples` writes the records.
    about: 'description', 'homepage', 'citation' and 'license', where TFDS does
      not have them.
    how_to_get: How to fetch the official files by hand.
    splits: TFDS' names of splits, by the official ones.
    check_tree: Raises ValueError for a tree that cannot become such records.
    check_info: Raises ValueError for records of other classes, by TFDS'
      information on them and their folder.
  """

  folder: str
  entries: Callable[[Features], Sequence[Entry]] = packed_entries
  builder: Callable[[str, Packing | None], TfdsBuilder] | None = None
  about: Mapping[str, str] = {}
  how_to_get: str = 'See docs/data.md.'
  splits: Mapping[str, str] = {}
  check_tree: Callable[[str], None] = lambda folder: None
  check_info: Callable[[Any, str], None] = lambda info, folder: None


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetSpec:
  """A data set: all that the rest of the project asks of it by its name.

  Attributes:
    name: `data.name`, and the name of its module.
    result_writer: Starts a result in the data set's format: of a folder, and
      the class table of the predictions.
    classes: The official class table; None: the data themselves say it.
    open: Opens a split, by `config.data` and the split's name; None: as files.
  """

  name: str
  result_writer: ResultWriterFactory
  classes: classes_lib.ClassTable | None = None
  open: 'Callable[[base.Data, str], dataset.Dataset] | None' = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileSpec(DatasetSpec):
  """A data set of image files with label PNGs.

  Attributes:
    encoding: Of the label PNGs.
    tree: Its official files.
    records: Its TFDS records.
    find_segments: Finds the segments of a label PNG; None: annotations state
      them.
    is_void_usual: Whether most pixels may be void, as where the background has
      no class.
    no_segments_hint: How to mend a split without a segment, for the message.
  """

  encoding: png.Encoding
  tree: Tree
  records: Records
  find_segments: samples.Finder | None = None
  is_void_usual: bool = False
  no_segments_hint: str = 'label some pixels with a class'

  def read_labels(self, path: str | os.PathLike) -> maps.PanopticMap:
    """Reads a label PNG that says its segments itself.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If it is none of this data set's; names it.
    """
    if self.find_segments is None:
      raise ValueError(f'{path} alone does not say the segments of {self.name}')
    ids = png.read_ids(path, self.encoding)
    try:
      return maps.from_label_ids(ids, self.find_segments)
    except ValueError as error:
      raise ValueError(f'{path}: {error}') from error


def coco_results(
  folder: str, classes: classes_lib.ClassTable
) -> result_files.ResultWriter:
  """A result in COCO's format: `panoptic/*.png` and `panoptic.json`."""
  pngs = os.path.join(folder, 'panoptic')
  return result_files.CocoResults(pngs, f'{pngs}.json', classes.categories)
