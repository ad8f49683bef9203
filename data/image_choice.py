"""Images of a data set that a user chooses."""

import os
from collections.abc import Sequence

import numpy as np

from data import dataset as dataset_lib
from panoptic import image_ids
from panoptic.console import spelling


def indices(
  dataset: dataset_lib.Dataset, ids: Sequence[str], split: str
) -> np.ndarray:
  """The indices of images, each named by its id or by its file.

  Args:
    dataset: The data set.
    ids: '139', '000000000139' or '000000000139.jpg' alike; the name of a video
      stands for all of its frames.
    split: Its name, for messages.

  Returns:
    int64 `[n]`.

  Raises:
    ValueError: If there is no such image; names the nearest.
  """
  known = dataset.image_ids
  if isinstance(dataset.result_id(known[0]), int):
    index_of = {str(image_id): i for i, image_id in enumerate(known)}
  else:  # Ids are texts, and files have such names.
    index_of = {
      str(dataset.result_id(image_id)): i for i, image_id in enumerate(known)
    }
    for i, image_id in enumerate(known):
      stem = os.path.splitext(dataset.file_name(image_id))[0]
      index_of.setdefault(stem, i)
  found: list[int] = []
  for name in ids:
    if name in dataset.sequences:
      found += dataset.sequences[name]
      continue
    stem = os.path.splitext(name)[0]
    spellings = (name, stem, str(image_ids.from_name(stem)))
    key = next((key for key in spellings if key in index_of), None)
    if key is None:
      near = spelling.did_you_mean(stem, index_of) or (
        f'the first is {next(iter(index_of))}'
      )
      raise ValueError(f'{split} has no image {name!r}: {near}')
    found.append(index_of[key])
  return np.array(found, np.int64)


def check_videos(
  known: Sequence[str], chosen: Sequence[str], split: str
) -> None:
  """Raises ValueError if a chosen video is unknown; names the nearest."""
  for name in chosen:
    if name not in known:
      near = spelling.did_you_mean(name, known)
      near = near or f'its videos are {", ".join(known[:10])}'
      raise ValueError(f'{split} has no video {name!r}: {near}')
