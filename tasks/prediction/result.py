"""An image with its predicted segments: to look at, to draw and to save."""

import dataclasses
import os
from collections.abc import Mapping

import numpy as np
from PIL import Image

from panoptic import classes as classes_lib
from panoptic import image_ids, maps, png, result_files
from panoptic.drawing import draw

_SIDE = 256  # Pixels: small images are drawn at least this large.


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Prediction:
  """A predicted panoptic map, beside its image and its classes.

  As the last value of a notebook's cell it is shown as a drawing.

  Attributes:
    image: uint8 `[h, w, 3]`.
    panoptic_map: Its segments.
    classes: The table that their categories are in.
    max_instances: K of the model.
    of_video: Whether the image is a frame; then an id is the same object in all
      frames, and drawings show it.
    scores: Of segments by id, where the answer was chosen among several; see
      `panoptic.answers.Comparison`.
  """

  image: np.ndarray
  panoptic_map: maps.PanopticMap
  classes: classes_lib.ClassTable
  max_instances: int = 0
  of_video: bool = False
  scores: Mapping[int, float] = dataclasses.field(default_factory=dict)

  @property
  def categories(self) -> Mapping[int, classes_lib.Category]:
    """The category of each segment, by the segment's id in the map."""
    by_id = {category.id: category for category in self.classes.categories}
    return {s.id: by_id[s.category_id] for s in self.panoptic_map.segments}

  @property
  def class_map(self) -> np.ndarray:
    """The class of each pixel, its place in the table: int32 `[h, w]`, 0 void.

    The functions of `panoptic.answers` take such maps.
    """
    ids = self.panoptic_map.segment_ids
    class_map = np.zeros(ids.shape, np.int32)
    for segment in self.panoptic_map.segments:
      contiguous = self.classes.to_contiguous(segment.category_id)
      class_map[ids == segment.id] = contiguous
    return class_map

  def draw(
    self, names: bool = True, min_side: int = _SIDE, scores: bool = False
  ) -> np.ndarray:
    """The image under its segments.

    Args:
      names: Whether to write class names, and ids of videos.
      min_side: Small images are enlarged to about this height.
      scores: Whether to write the segments' scores, if they have any, after
        the names.

    Returns:
      uint8 `[h', w', 3]`.
    """
    return draw.overlay(
      self.image,
      self.panoptic_map,
      self.classes,
      names=names,
      min_side=min_side,
      ids=self.of_video,
      by_id=self.of_video,
      max_instances=self.max_instances,
      notes={i: f'{s:.2f}' for i, s in self.scores.items()} if scores else {},
    )

  def save_drawing(self, path: str | os.PathLike) -> None:
    """Writes `draw()` as a PNG; folders are made."""
    png.save(path, Image.fromarray(self.draw()))

  def save(self, path: str | os.PathLike) -> None:
    """Writes the segments in COCO's format: 'cat.png', and 'cat.json' with it.

    Args:
      path: Of the PNG; folders are made. The name is the id of the image.

    Raises:
      ValueError: If it does not end in .png.
    """
    folder, name = os.path.split(os.fspath(path))
    result_files.check_name(name, 'the prediction')
    stem = os.path.splitext(name)[0]
    json_path = os.path.join(folder, f'{stem}.json')
    categories = self.classes.categories
    with result_files.CocoResults(folder or '.', json_path, categories) as one:
      one.add(
        image_ids.from_name(stem), name, self.panoptic_map, scores=self.scores
      )

  def __repr__(self) -> str:
    names = [category.name for category in self.categories.values()]
    height, width = self.panoptic_map.segment_ids.shape
    found = ', '.join(names) or 'nothing'
    return f'Prediction of {height}x{width} pixels: {found}'

  def _repr_png_(self) -> bytes:
    return png.encode(Image.fromarray(self.draw()))
