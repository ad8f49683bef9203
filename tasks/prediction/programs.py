"""The compiled steps of a model that predicts, each of them traced once."""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from configs import base
from data import dataset, transforms
from models import pix2seq_d
from tasks import factory, videos
from tasks import images as images_lib
from tasks.prediction import completion


class Input(NamedTuple):
  """An image, as it is and as the network sees it.

  Attributes:
    pixels: uint8 `[h, w, 3]`.
    resized: uint8 `[H, W, 3]`, of the network's size.
    resized_size: Its rows and columns that are image.
  """

  pixels: np.ndarray
  resized: tf.Tensor
  resized_size: Sequence[int]


class Row(NamedTuple):
  """What decides a label map, beside the sampler.

  Attributes:
    image: The image.
    number: Its index; it and the seed decide the noise.
    known: What is given of the map. None if nothing is, for all rows or none.
  """

  image: Input
  number: int
  known: completion.Given | None = None


class Programs:
  """Samples label maps, by programs that are kept.

  There is one for each sampler and size of a batch. Images of any size become
  the network's, and need no other.
  """

  def __init__(
    self, config: base.Experiment, model: pix2seq_d.Pix2SeqD, verbose: bool
  ):
    """Compiles nothing yet.

    Args:
      config: The experiment.
      model: The network, with its weights.
      verbose: Whether to say in a line when a program is compiled.
    """
    self._config, self._model, self._verbose = config, model, verbose
    self._programs: dict[tuple, tuple[images_lib.ImageTask, Callable]] = {}

  def input_of(self, pixels: np.ndarray) -> Input:
    """Resizes an image, uint8 `[h, w, 3]`, as evaluation does."""
    resized, resized_size = transforms.eval_transform(
      dataset.DecodedExample(pixels), self._config.model.image_size
    )
    return Input(pixels, resized, resized_size.numpy().tolist())

  def label_maps(
    self, rows: Sequence[Row], sampler: base.Sampler, seed: int, samples: int
  ) -> Iterator[np.ndarray]:
    """Label maps of images, in batches.

    Args:
      rows: One at least.
      sampler: Name, steps, td and schedule.
      seed: Of the noise.
      samples: N, of answers to each image.

    Yields:
      int32 `[h, w, 2]`, or `[N, h, w, 2]` where N is above 1.
    """
    most = self._config.evaluation.batch_size
    for start in range(0, len(rows), most):
      part = list(rows[start : start + most])
      # The last row again fills batches up to powers of two, so that lists of
      # most lengths find their program.
      size = min(most, 1 << (len(part) - 1).bit_length())
      filled = part + part[-1:] * (size - len(part))
      known = [row.known for row in filled if row.known is not None]
      task, program = self._get(sampler, size, samples, bool(known))
      found, _ = program(
        tf.stack([row.image.resized for row in filled]),
        tf.constant([row.number for row in filled], tf.int64),
        task.initial_state(size, tf.constant(seed, tf.int64)),
        _as_batch(known),
      )
      yield from found[: len(part)].numpy()

  def trajectory(
    self, row: Row, sampler: base.Sampler, seed: int
  ) -> np.ndarray:
    """The label maps of all steps, int32 `[steps, h, w, 2]`.

    Args:
      row: The image; of a model of videos the first frame of a clip.
      sampler: Name, steps, td and schedule.
      seed: Of the noise.
    """
    known = [] if row.known is None else [row.known]
    task, program = self._get(sampler, 1, 1, bool(known), is_trajectory=True)
    found = program(
      row.image.resized[tf.newaxis],
      tf.constant([row.number], tf.int64),
      task.initial_state(1, tf.constant(seed, tf.int64)),
      _as_batch(known),
    )
    return found[:, 0].numpy()

  def stream(
    self,
    frames: Iterable[Input],
    sampler: base.Sampler,
    seed: int,
    first: np.ndarray | None = None,
  ) -> Iterator[tuple[Input, np.ndarray]]:
    """The frames of a clip with their label maps, int32 `[h, w, 2]`.

    Args:
      frames: In order. With `first`, from the second frame on.
      sampler: Name, steps, td and schedule.
      seed: Of the noise.
      first: The label map of the first frame, if it is known.
    """
    task, program = self._get(sampler, 1)
    state = task.initial_state(1, tf.constant(seed, tf.int64))
    if first is not None:
      state = videos.follow(self._config, state, first[np.newaxis])
    for number, frame in enumerate(frames, start=int(first is not None)):
      index = tf.constant([number], tf.int64)
      found, state = program(frame.resized[tf.newaxis], index, state, {})
      yield frame, found[0].numpy()

  def _get(
    self,
    sampler: base.Sampler,
    size: int,
    samples: int = 1,
    is_given: bool = False,
    is_trajectory: bool = False,
  ) -> tuple[images_lib.ImageTask, Callable[..., Any]]:
    """The task of a sampler, and its step for so many images and answers."""
    kind = samples, is_given, is_trajectory, size
    key = sampler.name, sampler.steps, sampler.td, *kind
    if key not in self._programs:
      if self._verbose:
        print(
          f'Compiling for {size} image{"s" * (size > 1)} at a time, '
          f'{f"{samples} answers to each, " if samples > 1 else ""}'
          f'{"all steps, " if is_trajectory else ""}sampler '
          f'{sampler.name}, {sampler.steps} steps, td {sampler.td:g}; later '
          'calls with these settings are quick.',
          flush=True,
        )
      config = copy.deepcopy(self._config)
      config.evaluation.sampler = sampler
      config.evaluation.samples = samples
      task = factory.create(config)

      def predict(images, index, state, known):
        batch = {**task.batch_of_images(images, index), **known}
        if is_trajectory:
          return task.predict_trajectory(self._model, batch, state)
        return task.predict_label_map(self._model, batch, state)

      compiled = config.training.jit_compile
      program = tf.function(predict, jit_compile=compiled, autograph=False)
      self._programs[key] = task, program
    return self._programs[key]


def _as_batch(known: Sequence[completion.Given]) -> dict[str, tf.Tensor]:
  """The entries of a batch for what is known of its maps."""
  if not known:
    return {}
  return {
    'given': tf.stack([one.label_map for one in known]),
    'known': tf.stack([one.known for one in known]),
  }
