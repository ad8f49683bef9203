"""How the sampler arrives at an answer: the paper's Figure 11 for any image."""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
from PIL import Image

from panoptic import png
from panoptic.drawing import draw, sheets
from tasks.prediction import result

_SIDE = 128  # Pixels: the images of a sheet are at least this large.


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Trajectory:
  """The predictions after more and more steps.

  As the last value of a notebook's cell it is shown as a drawing.

  Attributes:
    steps: The numbers of the steps, the smallest first.
    predictions: The prediction after each; the last one is the answer.
  """

  steps: Sequence[int]
  predictions: Sequence[result.Prediction]

  def draw(self, min_side: int = _SIDE) -> np.ndarray:
    """The image and the segments after each step, in one row over a legend.

    Args:
      min_side: Small images are enlarged to about this height.

    Returns:
      uint8 `[h', w', 3]`.
    """
    first = self.predictions[0]
    found = [one.panoptic_map for one in self.predictions]
    painted = [draw.paint(one, first.classes, first.of_video) for one in found]
    factor = draw.enlargement(first.image.shape[:2], min_side)
    cells = [draw.enlarge(cell, factor) for cell in (first.image, *painted)]
    titles = ['image', *(f'step {number}' for number in self.steps)]
    return sheets.sheet([cells], titles, sheets.legend(found, first.classes))

  def save_drawing(self, path: str | os.PathLike) -> None:
    """Writes `draw()` as a PNG; folders are made."""
    png.save(path, Image.fromarray(self.draw()))

  def __repr__(self) -> str:
    return f'Trajectory of steps {", ".join(map(str, self.steps))}'

  def _repr_png_(self) -> bytes:
    return png.encode(Image.fromarray(self.draw()))
