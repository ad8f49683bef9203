"""Pages like the paper's Figures 11 to 15, from the pictures of runs."""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from benchmarks.results import comparison
from panoptic import files, images, png
from panoptic.drawing import sheets


class Figure(NamedTuple):
  """A figure: its number, what it shows, and whose pictures it is made of.

  Attributes:
    number: In the paper.
    caption: What it shows.
    experiment: Of the runs.
    picture: The name of the runs' pictures.
    place: 0 for the first run that has them, 1 for the second.
  """

  number: int
  caption: str
  experiment: str
  picture: str
  place: int = 0


FIGURES = (
  Figure(11, 'inference trajectories', 'coco_panoptic', 'trajectory'),
  Figure(12, 'predictions on COCO val', 'coco_panoptic', 'predictions'),
  Figure(13, 'predictions on COCO val', 'coco_panoptic', 'predictions', 1),
  Figure(
    14, 'predictions on Cityscapes val', 'cityscapes_panoptic', 'predictions'
  ),
  Figure(15, 'predictions on DAVIS val', 'davis', 'videos'),
)


def write(
  judgements: Sequence[comparison.Judgement], folder: str
) -> Iterator[str]:
  """Writes `figure-<number>.png` for each figure that there are pictures for.

  Runs that are the registered experiment come first, then those with the fewest
  differences, and a page says so. Of a run the latest pictures are shown.

  Args:
    judgements: The runs.
    folder: Where to write.

  Yields:
    A sentence for each figure: where it is, or why there is none.
  """
  for figure in FIGURES:
    having = [
      judgement
      for judgement in judgements
      if judgement.experiment == figure.experiment
      and _latest(judgement, figure.picture) >= 0
    ]
    having.sort(key=lambda judgement: len(judgement.differences))
    name = f'Figure {figure.number}, {figure.caption}'
    if not having:
      yield (
        f'{name}: no run of {figure.experiment} has '
        f'pictures/{figure.picture}-<step>.png.'
      )
    elif len(having) <= figure.place:
      yield (
        f'{name}: there is one run of {figure.experiment} with such pictures, '
        'and the figure before shows them; a second run would be shown here.'
      )
    else:
      path = os.path.join(folder, f'figure-{figure.number}.png')
      try:
        page = _page(figure, having[figure.place])
      except ValueError as error:
        yield f'{name}: {error}'
        continue
      png.save(path, Image.fromarray(page))
      yield f'{name}: {path}, of {having[figure.place].run.folder}.'


def _latest(judgement: comparison.Judgement, picture: str) -> int:
  """The last step at which a picture was drawn; -1: never."""
  return max(
    (s for name, s in judgement.run.pictures if name == picture), default=-1
  )


def _page(figure: Figure, judgement: comparison.Judgement) -> np.ndarray:
  """A page, uint8 `[H, W, 3]`."""
  step = _latest(judgement, figure.picture)
  path = judgement.run.pictures[figure.picture, step]
  try:
    with images.open_image(files.read_bytes(path)) as image:
      picture = np.asarray(image.convert('RGB'))
  except (SyntaxError, OSError, ValueError) as error:
    raise ValueError(
      f'{path} is no image that can be read ({error}): remove it, and evaluate '
      'the run again.'
    ) from error
  remark = f'{judgement.run.folder}, step {step:,}'
  if judgement.differences:
    remark += (
      f'; differs from {judgement.experiment} in '
      f'{len(judgement.differences)} fields'
    )
  title = f'Figure {figure.number}: {figure.caption}'
  return sheets.sheet([[picture]], [title], [sheets.Entry(remark)])
