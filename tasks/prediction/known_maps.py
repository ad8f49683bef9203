"""The maps that a call of a predictor is given with its images."""

from collections.abc import Callable, Sequence

import numpy as np

from configs import base
from panoptic import classes as classes_lib
from panoptic import decode, maps
from tasks.prediction import completion, programs


def of_image(
  given: maps.PanopticMap | None,
  image: programs.Input,
  config: base.Experiment,
  rule: decode.Rule,
  classes: classes_lib.ClassTable,
  where: str,
) -> completion.Given:
  """What is given of an image, for the model.

  Args:
    given: The map, of the image's size; None: nothing is.
    image: The image.
    config: The experiment.
    rule: How label maps become segments.
    classes: The table.
    where: Names the map in errors.

  Raises:
    ValueError: If the map does not fit.
  """
  size = image.pixels.shape[:2]
  mask_size = config.model.mask_size
  if given is None:
    return completion.nothing(size, mask_size)
  return completion.prepare(
    given, size, image.resized_size, mask_size, rule, classes, where
  )


def of_images(
  given: maps.PanopticMap | Sequence[maps.PanopticMap | None] | None,
  images: Sequence[programs.Input],
  config: base.Experiment,
  rule: decode.Rule,
  classes: classes_lib.ClassTable,
) -> Sequence[completion.Given | None]:
  """As `of_image`, of each image; None for all of them if nothing is given.

  Raises:
    ValueError: If there are not as many maps, or one does not fit.
  """
  if given is None or isinstance(given, maps.PanopticMap):
    given = [given] * len(images)
  if len(given) != len(images):
    raise ValueError(
      f'given has {len(given)} maps for {len(images)} images: give as many'
    )
  if all(one is None for one in given):
    return [None] * len(images)
  return [
    of_image(one, image, config, rule, classes, f'the map of image {i}')
    for i, (one, image) in enumerate(zip(given, images, strict=True))
  ]


def decoder(
  row: programs.Row, rule: decode.Rule, classes: classes_lib.ClassTable
) -> Callable[[np.ndarray], maps.PanopticMap]:
  """A function of a label map: its segments, at the size of the row's image."""
  resized_size = row.image.resized_size
  original_size = row.image.pixels.shape[:2]

  def to_segments(label_map):
    if row.known is None:
      return decode.decode(
        label_map, resized_size, original_size, rule, classes
      )
    return completion.complete(
      label_map, row.known, resized_size, rule, classes
    )

  return to_segments
