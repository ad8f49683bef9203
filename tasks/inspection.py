"""A look at the examples of training: `--mode=inspect`."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from configs import base
from data import image_choice, pipeline, registry
from data.reading import file_dataset, split_content, split_index
from panoptic import classes as classes_lib
from panoptic import decode, maps, png
from panoptic.drawing import draw, sheets

_SIDE = 256  # Pixels: small examples are drawn at least this large.
_COLUMNS = 4
_COUNT = 16


def run(
  config: base.Experiment, output_dir: str, count: int | None = None
) -> None:
  """Draws training examples and counts their classes and segments.

  Writes `<output>/train.png`: for each example the image, and the image under
  its segments with class names and instance ids, as the network gets them; for
  videos, also the past masks. Prints statistics of the same examples.

  Args:
    config: The experiment.
    output_dir: The folder to write.
    count: Number of examples; None: each of `evaluation.visualized_ids`, or 16
      where these are empty. More than those are the same images, transformed
      anew.

  Raises:
    FileNotFoundError, ValueError: If the data are missing or wrong.
  """
  if not output_dir:
    raise ValueError('--mode=inspect needs --output, a folder to write')
  if count is not None and count < 1:
    raise ValueError(f'--num_examples is {count}; it must be at least 1')
  split = config.data.train_split
  dataset = registry.create(config.data, split)
  order = None
  if config.evaluation.visualized_ids:
    order = image_choice.indices(
      dataset, config.evaluation.visualized_ids, split
    ).tolist()
  count = count or (_COUNT if order is None else len(order))
  if isinstance(dataset, file_dataset.FileDataset):
    _warn(dataset.content, split, config.data.name)
  start = time.monotonic()
  batches = pipeline.train_dataset(dataset, config, order=order)
  examples = list(batches.unbatch().take(count).as_numpy_iterator())
  seconds = time.monotonic() - start
  shown = [_maps(example, dataset.classes) for example in examples]
  cells = [
    _drawn(example, found, dataset.classes)
    for example, found in zip(examples, shown, strict=True)
  ]
  titles = ['image', 'segments']
  titles += [f'mask of frame {t}' for t in config.data.past_frames]
  titles = titles[: len(cells[0])]
  columns = max(1, _COLUMNS // len(titles))
  rows = [
    sum(cells[i : i + columns], []) for i in range(0, len(cells), columns)
  ]
  entries = sheets.legend(sum(shown, []), dataset.classes)
  sheet = sheets.sheet(rows, titles * columns, entries)
  path = os.path.join(output_dir, 'train.png')
  png.save(path, Image.fromarray(sheet))
  print(describe(statistics(examples, dataset.classes)))
  print(f'{path}: {len(examples)} examples, made in {seconds:.1f} s')


def _warn(content: split_index.SplitIndex, split: str, name: str) -> None:
  """Prints what is unusual in a whole split to the error stream."""
  for line in split_content.warnings(
    split,
    content.names,
    content.sizes,
    content.splits,
    content.segments,
    content.classes,
    registry.get_files(name).is_void_usual,
  ):
    print(line, file=sys.stderr)


def statistics(
  examples: Sequence[Mapping[str, np.ndarray]],
  classes: classes_lib.ClassTable,
) -> dict[str, Any]:
  """Counts the pixels and segments of training examples.

  Args:
    examples: Of `pipeline.train_dataset`, without the batch axis.
    classes: The data set's table.

  Returns:
    'segments': int `[n]`, of each example; 'void': share of the pixels that
    are void, the padding among them; 'pixels' and 'instances': int
    `[num_classes]`, by class; 'dropped': segments that found no id; 'names'
    of the classes but void.
  """
  counts = np.zeros(classes.num_classes, np.int64)
  instances = np.zeros_like(counts)
  segments = []
  for example in examples:
    label_map = example['label_map']
    counts += np.bincount(
      label_map[..., 0].ravel(), minlength=classes.num_classes
    )
    # A class and an id as one number: many times as fast to sort as pairs.
    kinds, ids = np.moveaxis(label_map.astype(np.int64), -1, 0)
    pairs = np.unique(kinds[ids > 0] << 32 | ids[ids > 0])
    kinds = pairs >> 32
    segments.append(len(kinds))
    instances += np.bincount(kinds, minlength=classes.num_classes)
  dropped = sum(int(example['num_dropped_segments']) for example in examples)
  return {
    'segments': np.array(segments),
    'void': counts[0] / counts.sum(),
    'pixels': counts,
    'instances': instances,
    'dropped': dropped,
    'names': [category.name for category in classes.categories],
  }


def describe(found: Mapping[str, Any]) -> str:
  """The statistics as text, the most frequent classes first."""
  segments = found['segments']
  lines = [
    f'segments per example: mean {segments.mean():.1f}, from {segments.min()} '
    f'to {segments.max()}',
    f'void: {100 * found["void"]:.1f} % of the pixels',
    f'segments dropped for want of an instance id: {found["dropped"]}',
    'class, share of the labelled pixels, segments:',
  ]
  pixels = found['pixels'][1:]
  for i in np.argsort(-pixels, kind='stable'):
    if pixels[i]:
      share = 100 * pixels[i] / pixels.sum()
      lines.append(
        f'  {found["names"][i]}  {share:.1f} %  {found["instances"][i + 1]}'
      )
  return '\n'.join(lines)


def _maps(
  example: Mapping[str, np.ndarray], classes: classes_lib.ClassTable
) -> list[maps.PanopticMap]:
  """The segments, and those of the past masks."""
  size = example['image'].shape[:2]
  past = example.get('past_masks')
  label_maps = [example['label_map']]
  if past is not None:
    label_maps += [past[..., i : i + 2] for i in range(0, past.shape[-1], 2)]
  return [
    # An id has one class here, so this looks segments up and changes nothing.
    decode.from_label_map(
      decode.to_original_size(label_map, size, size, size), classes
    )
    for label_map in label_maps
  ]


def _drawn(
  example: Mapping[str, np.ndarray],
  found: Sequence[maps.PanopticMap],
  classes: classes_lib.ClassTable,
) -> list[np.ndarray]:
  """The image, the image under its segments, and the past masks."""
  image = example['image']
  gray = np.full_like(image, 128)
  grounds = [image] + [gray] * (len(found) - 1)
  factor = draw.enlargement(image.shape[:2], _SIDE)
  return [draw.enlarge(image, factor)] + [
    draw.overlay(ground, one, classes, min_side=_SIDE, ids=True)
    for ground, one in zip(grounds, found, strict=True)
  ]
