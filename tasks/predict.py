"""Panoptic segmentation of a user's own photos."""

import os
import time
from typing import List, Optional

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps, UnidentifiedImageError

from configs import base
from data import dataset, registry, transforms
from metrics import panoptic_files, png_maps
from models import checkpoints, pix2seq_d
from panoptic import classes as classes_lib
from tasks import panoptic, pictures

_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')


def find_photos(path: str) -> List[str]:
  """The photos of a folder, sorted, or the one file.

  Raises:
    FileNotFoundError: where there is none.
  """
  if not path:
    raise ValueError('--mode=predict needs --input, a photo or a folder')
  if os.path.isfile(path):
    return [path]
  if not os.path.isdir(path):
    raise FileNotFoundError(f'there is no photo or folder at {path}')
  found = sorted(
    os.path.join(path, name)
    for name in os.listdir(path)
    if name.lower().endswith(_SUFFIXES)
  )
  if not found:
    raise FileNotFoundError(
      f'no photo in {path}: expected names that end in {", ".join(_SUFFIXES)}'
    )
  return found


def read_photo(path: str) -> np.ndarray:
  """uint8 `[h, w, 3]`, upright; raises ValueError where it is no picture."""
  try:
    with Image.open(path) as photo:
      photo = ImageOps.exif_transpose(photo)
      if photo.mode.startswith('I'):  # Gray of 16 bits, which Pillow would cut.
        high = np.right_shift(np.asarray(photo), 8)
        photo = Image.fromarray(np.clip(high, 0, 255).astype(np.uint8))
      return np.asarray(photo.convert('RGB'))
  except (
    *(UnidentifiedImageError, OSError, SyntaxError),
    Image.DecompressionBombError,
  ) as error:
    raise ValueError(
      f'{path} cannot be read as a picture ({error}): remove or replace it'
    ) from error


def names_of(photos: List[str], folder: str) -> List[str]:
  """Their names without endings; ValueError where two share one."""
  names = [os.path.splitext(os.path.basename(path))[0] for path in photos]
  if len(set(names)) < len(names):
    twice = next(name for name in names if names.count(name) > 1)
    raise ValueError(
      f'two photos in {folder} are named {twice}: rename one, since both '
      f'would become {twice}.png'
    )
  return names


def classes_of(
  config: base.Experiment, checkpoint: Optional[str]
) -> classes_lib.ClassTable:
  """The classes that a checkpoint was trained on, as its run's folder says.

  Without a run, as with an imported checkpoint, those of `config.data`.
  """
  if checkpoint:
    folder = os.path.dirname(checkpoint)
    # The best checkpoint lies in a folder within the run's.
    for place in (folder, os.path.dirname(folder)):
      classes = classes_lib.ClassTable.load(place)
      if classes is not None:
        return classes
  return registry.class_table(config.data)


def load(
  task: panoptic.Panoptic, checkpoint: Optional[str]
) -> pix2seq_d.Pix2SeqD:
  """Builds a task's model and reads its weights, saying what was read.

  Args:
    task: the task.
    checkpoint: path or folder of a checkpoint; None for
      `training.init_checkpoint`.

  Raises:
    FileNotFoundError: where there is no checkpoint.
    ValueError: where it does not fit.
  """
  config = task.config
  sources = [checkpoint] if checkpoint else config.training.init_checkpoint
  if not sources:
    raise FileNotFoundError(
      'no weights to predict with: give --model_dir or --checkpoint'
    )
  model = task.build_model()
  print(checkpoints.load_all(model, sources, config.evaluation.weights))
  return model


class Output:
  """What a prediction leaves: COCO's result files, overlays, and a line each.

  A context manager; the result is complete when it is left.
  """

  def __init__(
    self, output_dir: str, classes: classes_lib.ClassTable, total: int
  ):
    """Makes the folders; `total` is how many pictures there will be."""
    self._classes, self._total = classes, total
    self._overlays = os.path.join(output_dir, 'overlay')
    os.makedirs(self._overlays, exist_ok=True)
    self._writer = panoptic_files.ResultWriter(
      os.path.join(output_dir, 'panoptic'),
      os.path.join(output_dir, 'panoptic.json'),
      classes.categories,
    )
    self._count = 0

  def __enter__(self):
    self._writer.__enter__()
    self._start = time.monotonic()
    return self

  def __exit__(self, *error):
    return self._writer.__exit__(*error)

  def add(self, path, name, photo, segment_ids, found, **overlay) -> None:
    """Writes a picture's files and its line.

    Args:
      path: of the photo.
      name: of the files, without ending.
      photo: uint8 `[h, w, 3]`.
      segment_ids: int32 `[h, w]`.
      found: the segments.
      **overlay: as for `pictures.overlay`.
    """
    self._writer.add(self._count, f'{name}.png', segment_ids, found)
    picture = pictures.overlay(
      photo, segment_ids, found, self._classes, min_side=256, **overlay
    )
    png_maps.save_png(
      os.path.join(self._overlays, f'{name}.png'), Image.fromarray(picture)
    )
    self._count += 1
    now = time.monotonic()
    print(
      f'{self._count}/{self._total} {path}: {len(found)} segments, '
      f'{now - self._start:.1f} s',
      flush=True,
    )
    self._start = now


def run(
  config: base.Experiment,
  input_path: str,
  output_dir: str,
  checkpoint: Optional[str],
) -> None:
  """Segments photos, one at a time.

  Writes `<output>/panoptic/<name>.png`, `<output>/panoptic.json` (the COCO
  panoptic format) and `<output>/overlay/<name>.png`.

  Args:
    config: the experiment that the model was trained with.
    input_path: a photo, or a folder of photos.
    output_dir: where to write.
    checkpoint: path or folder of a checkpoint; None for
      `training.init_checkpoint`.

  Raises:
    FileNotFoundError: where there is no photo or no checkpoint.
    ValueError: where a photo or the checkpoint does not fit.
  """
  if not output_dir:
    raise ValueError('--mode=predict needs --output, a folder to write')
  photos = find_photos(input_path)
  names = names_of(photos, input_path)
  # One that cannot be read must not be found out after an hour.
  for path in photos:
    read_photo(path)
  classes = classes_of(config, checkpoint)
  task = panoptic.Panoptic(config)
  model = load(task, checkpoint)
  sample = tf.function(
    task.predict_photo, jit_compile=config.training.jit_compile
  )
  with Output(output_dir, classes, len(photos)) as output:
    for i, (path, name) in enumerate(zip(photos, names, strict=True)):
      photo = read_photo(path)
      image, resized_size = transforms.eval_transform(
        dataset.DecodedExample(photo), config.model.image_size
      )
      label_map = sample(model, image, tf.constant(i, tf.int64)).numpy()
      segment_ids, found = panoptic.to_segments(
        label_map, resized_size, photo.shape[:2], config, classes
      )
      output.add(path, name, photo, segment_ids, found)
