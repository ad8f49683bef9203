"""Result files, in the formats that the official tools read.

* `CocoResults`: a folder of PNGs and a JSON
  (https://cocodataset.org/#format-results, panoptic segmentation):

    {"annotations": [{"image_id", "file_name", "segments_info": [
        {"id", "category_id", "area", "bbox", "iscrowd"}, ...]}, ...],
     "images": [{"id", "file_name", "height", "width"}, ...],
     "categories": [{"id", "name", "isthing"}, ...]}

  A segment of several answers also has a "score", in [0, 1].

* `PngResults`: a PNG for each image, whose pixels say all.
"""

import contextlib
import json
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

import numpy as np

from panoptic import files, image_ids, maps, png, runs, segment_table


class ResultWriter(Protocol):
  """Writes predictions, one image at a time.

  A context manager: the result is complete when the block is left, and not
  replaced when an exception leaves it.
  """

  def add(
    self,
    image_id: image_ids.ImageId,
    file_name: str,
    prediction: maps.PanopticMap,
    image_name: str = '',
    scores: Mapping[int, float] | None = None,
  ) -> None:
    """Writes one image.

    Args:
      image_id: The data set's own id of it.
      file_name: Name of the PNG in the folder, perhaps with folders of its own,
        as those of videos have.
      prediction: Its segments.
      image_name: Name of the image's file; '' if it is not known.
      scores: In [0, 1], of segments by id, where the format has a place for
        them.
    """

  def close(self) -> None:
    """Completes the result; a second call does nothing."""
    return  # A result of PNGs alone is complete as it is.

  def __enter__(self) -> Self:
    return self

  def __exit__(self, error_type, error, traceback) -> None:
    if error_type is None:
      self.close()


class PngResults(ResultWriter):
  """A result of one PNG for each image."""

  def __init__(
    self,
    folder: str | os.PathLike,
    encoding: png.Encoding,
    ids_of: Callable[[maps.PanopticMap], np.ndarray],
  ):
    """Starts a result.

    Args:
      folder: Where the PNGs go.
      encoding: Of their pixels.
      ids_of: The ids that the encoding wants, integers `[h, w]`, of a map.
    """
    self._folder = os.fspath(folder)
    self._encoding = encoding
    self._ids_of = ids_of

  def add(
    self,
    image_id: image_ids.ImageId,
    file_name: str,
    prediction: maps.PanopticMap,
    image_name: str = '',
    scores: Mapping[int, float] | None = None,
  ) -> None:
    """Writes one image; see `ResultWriter`."""
    del image_name, scores
    name = check_name(file_name, f'image {image_id}')
    path = os.path.join(self._folder, name)
    png.write_ids(path, self._ids_of(prediction), self._encoding)


class CocoResults(ResultWriter):
  """A result in COCO's format.

  Segments go to a temporary file as they come, so that a result of any length
  needs no memory.
  """

  def __init__(
    self,
    folder: str | os.PathLike,
    json_path: str | os.PathLike,
    categories: Sequence[Any],
  ):
    """Makes the folders.

    Args:
      folder: Where the PNGs go.
      json_path: The JSON, written at the end.
      categories: Objects with `id`, `name` and `isthing`.

    Raises:
      ValueError: If there are no categories, or one id twice.
    """
    self._positions = segment_table.category_positions(categories)
    self._categories = [
      {'id': int(c.id), 'name': str(c.name), 'isthing': int(c.isthing)}
      for c in categories
    ]
    self._folder, self._json = os.fspath(folder), os.fspath(json_path)
    self._image_ids: set[str] = set()
    # As JSON, which takes a quarter of the memory.
    self._images: list[str] = []
    self._file_names: set[str] = set()
    self._temporary = f'{self._json}.tmp'
    self._is_closed = False
    for needed in (self._folder, os.path.dirname(self._json) or '.'):
      files.make_folders(needed)
    self._file = files.open_file(self._temporary, 'w')
    self._file.write('{"annotations": [')

  def add(
    self,
    image_id: image_ids.ImageId,
    file_name: str,
    prediction: maps.PanopticMap,
    image_name: str = '',
    scores: Mapping[int, float] | None = None,
  ) -> None:
    """Writes the PNG of one image, and its segments for the JSON.

    Args:
      image_id: See `ResultWriter`.
      file_name: See `ResultWriter`.
      prediction: Its segments; area and bounding box are measured here.
      image_name: For the list of images; '' stands for the PNG's.
      scores: Of segments by id, which become their "score".

    Raises:
      ValueError: If the writer is closed, if an image or a name comes twice, if
        the name is not that of a PNG, or if map and segments disagree.
    """
    image_id = image_ids.parse(image_id)
    where = f'image {image_id}'
    if self._is_closed:
      raise ValueError(
        f'{where} comes after {self._json} was closed; add all images before'
      )
    if str(image_id) in self._image_ids or file_name in self._file_names:
      raise ValueError(
        f'{where} ({file_name}): that id or file name has already been '
        'written; add each image once'
      )
    check_name(file_name, where)
    info = _measure(prediction, self._positions, where)
    for entry in info:
      if scores and entry['id'] in scores:
        entry['score'] = round(float(scores[entry['id']]), 4)
    path = os.path.join(self._folder, file_name)
    png.write_ids(path, prediction.segment_ids, png.COCO)
    annotation = {
      'image_id': image_id,
      'file_name': file_name,
      'segments_info': info,
    }
    separator = ', ' if self._images else ''
    self._file.write(separator + json.dumps(annotation))
    height, width = prediction.segment_ids.shape
    image = {
      'id': image_id,
      'file_name': image_name or file_name,
      'height': height,
      'width': width,
    }
    self._images.append(json.dumps(image))
    self._image_ids.add(str(image_id))
    self._file_names.add(file_name)

  def close(self) -> None:
    """Ends the JSON, which has its name from then on."""
    if self._is_closed:
      return
    self._is_closed = True
    with self._file:
      images, categories = ', '.join(self._images), json.dumps(self._categories)
      self._file.write(f'], "images": [{images}], "categories": {categories}}}')
    files.replace(self._temporary, self._json)

  def __exit__(self, error_type, error, traceback) -> None:
    super().__exit__(error_type, error, traceback)
    if error_type is not None:
      self._is_closed = True
      # The rest of the file may not fit on a full disk.
      with contextlib.suppress(OSError):
        self._file.close()
      files.remove(self._temporary)


def check_name(file_name: str, where: str) -> str:
  """Returns the name of a PNG within a folder; ValueError for another."""
  parts = pathlib.PurePosixPath(file_name).parts
  if not file_name.endswith('.png') or {'/', '..'} & set(parts):
    raise ValueError(
      f'{where}: {file_name!r} is not the name of a PNG in the folder; give '
      'a name such as 000000000139.png or clip/000001.png'
    )
  return file_name


def _measure(
  prediction: maps.PanopticMap, positions: Mapping[int, int], where: str
) -> list[dict[str, Any]]:
  """Returns segments_info, with area and bbox [x, y, width, height]."""
  segment_ids = prediction.segment_ids
  maps.check_map(segment_ids, where)
  table = segment_table.index_segments(prediction.segments, positions, where)
  found = runs.find_runs(segment_ids)
  rows = segment_table.rows_of(
    segment_ids.ravel()[found.start], table.ids, where
  )
  area = np.bincount(rows, found.length, len(table.ids)).astype(np.int64)
  segment_table.check_all_present(table.ids, area, where)
  y, x = np.divmod(found.start, segment_ids.shape[1])
  low = np.full([2, len(area)], max(segment_ids.shape))
  high = np.zeros([2, len(area)], np.int64)
  for axis, first, last in ((0, x, x + found.length), (1, y, y + 1)):
    np.minimum.at(low[axis], rows, first)
    np.maximum.at(high[axis], rows, last)
  boxes = np.concatenate([low, high - low]).T
  return [
    {
      'id': int(segment.id),
      'category_id': int(segment.category_id),
      'area': int(area[row]),
      'bbox': boxes[row].tolist(),
      'iscrowd': int(segment.iscrowd),
    }
    for row, segment in enumerate(prediction.segments, start=1)
  ]
