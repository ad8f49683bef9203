"""The compiled steps of a model that predicts, each of them traced once."""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from configs import base
from data import dataset, transforms
from models import pix2seq_d
from tasks import factory
from tasks import images as images_lib


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
    seed: See there.
  """

  image: Input
  number: int
  seed: int


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
    self, rows: Sequence[Row], sampler: base.Sampler
  ) -> Iterator[np.ndarray]:
    """Label maps of images, int32 `[h, w, 2]`, in batches.

    Args:
      rows: One at least.
      sampler: Name, steps, td and schedule.
    """
    most = self._config.evaluation.batch_size
    for start in range(0, len(rows), most):
      part = list(rows[start : start + most])
      # The last row again fills batches up to powers of two, so that lists of
      # most lengths find their program.
      size = min(most, 1 << (len(part) - 1).bit_length())
      filled = part + part[-1:] * (size - len(part))
      task, program = self._get(sampler, size)
      found, _ = program(
        tf.stack([row.image.resized for row in filled]),
        tf.constant([row.number for row in filled], tf.int64),
        task.initial_state(
          size, tf.constant([row.seed for row in filled], tf.int64)
        ),
      )
      yield from found[: len(part)].numpy()

  def stream(
    self, frames: Iterable[Input], sampler: base.Sampler, seed: int
  ) -> Iterator[tuple[Input, np.ndarray]]:
    """The frames of a clip with their label maps, int32 `[h, w, 2]`.

    Args:
      frames: In order.
      sampler: Name, steps, td and schedule.
      seed: Of the noise.
    """
    task, program = self._get(sampler, 1)
    state = task.initial_state(1, tf.constant(seed, tf.int64))
    for number, frame in enumerate(frames):
      index = tf.constant([number], tf.int64)
      found, state = program(frame.resized[tf.newaxis], index, state)
      yield frame, found[0].numpy()

  def _get(
    self, sampler: base.Sampler, size: int
  ) -> tuple[images_lib.ImageTask, Callable[..., Any]]:
    """The task of a sampler, and its step for so many images."""
    key = sampler.name, sampler.steps, sampler.td, size
    if key not in self._programs:
      if self._verbose:
        print(
          f'Compiling for {size} image{"s" * (size > 1)} at a time, sampler '
          f'{sampler.name}, {sampler.steps} steps, td {sampler.td:g}; later '
          'calls with these settings are quick.',
          flush=True,
        )
      config = copy.deepcopy(self._config)
      config.evaluation.sampler = sampler
      task = factory.create(config)

      def predict(images, index, state):
        batch = task.batch_of_images(images, index)
        return task.predict_label_map(self._model, batch, state)

      compiled = config.training.jit_compile
      program = tf.function(predict, jit_compile=compiled, autograph=False)
      self._programs[key] = task, program
    return self._programs[key]
