"""Panoptic segmentation of images: the task that is trained and scored."""

import copy
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from configs import base
from data import dataset as dataset_lib
from data import image_choice, pipeline, registry
from models import checkpoints, load_report, pix2seq_d, prng
from models.blocks import recompute
from panoptic import classes as classes_lib
from tasks import class_file, sampling, scorer, visualization
from tasks.task import Tensors


class ImageTask:
  """A `task.Task` whose examples are images, each by itself."""

  loss_names: Sequence[str] = (
    'loss_class',
    'loss_instance',
    'dropped_segments',
  )
  # What a scorer needs of a row beside its label map.
  row_names: Sequence[str] = (
    'image_id',
    'valid',
    'original_size',
    'resized_size',
  )

  def __init__(
    self,
    config: base.Experiment,
    results_dir: str = '',
    classes: classes_lib.ClassTable | None = None,
  ):
    """Opens nothing yet; see `dataset`.

    Args:
      config: The experiment.
      results_dir: For scores by class, and for the files of
        `evaluation.write_results`; '' for a process that must not write.
      classes: The table of the run, by which all splits are read; None: that of
        the split which is opened first, in training `data.train_split`.
    """
    self.config = config
    self._classes, self._of_classes = classes, "the run's classes.json"
    self.metric = scorer.metric_of(config).main_score
    self._results_dir = results_dir
    self._datasets: dict[str, dataset_lib.Dataset] = {}
    show = self.show_step
    if config.training.jit_compile:
      show = tf.function(show, jit_compile=True, autograph=False)

    def show_on_replicas(strategy, model, *tensors):
      # A TPU's graph takes the name of the function, and refuses a lambda's.
      def show_step(*tensors):
        return show(model, *tensors)

      return strategy.run(show_step, args=tensors)

    # Traced once, however often predictions are drawn. As in evaluation, the
    # step of a replica is compiled, not the distribution to replicas.
    self.show_on_replicas: Callable = tf.function(
      show_on_replicas, autograph=False
    )

  def dataset(self, split: str) -> dataset_lib.Dataset:
    """The data set of a split, opened at the first call.

    Raises:
      FileNotFoundError: If there are no such data.
      ValueError: If they are wrong, do not fit the model or the classes of the
        run and of the other splits, or lack one of
        `evaluation.visualized_ids`.
    """
    if split not in self._datasets:
      known = self.config.model.num_classes
      # A model without classes takes any.
      reference = self._classes if known > 1 else None
      dataset = registry.create(
        self.config.data, split, reference, self._of_classes
      )
      classes = dataset.classes.num_classes
      # A single class needs no name: see `_known_classes`.
      if classes > known and (classes, known) != (2, 1):
        raise ValueError(
          f'model.num_classes is {known}, but {self.config.data.name}'
          f' has {classes} with void: change it to that'
        )
      if self._classes is None:
        self._classes, self._of_classes = dataset.classes, split
      if split == self.config.data.eval_split:
        self._check_visualized(dataset)
      self._datasets[split] = dataset
    return self._datasets[split]

  @property
  def eval_set(self) -> dataset_lib.Dataset:
    """The data set that is scored."""
    return self.dataset(self.config.data.eval_split)

  def save_description(self, directory: str) -> None:
    """Writes the classes, since predicting needs them without the data."""
    classes = self.dataset(self.config.data.train_split).classes
    class_file.save(classes, directory)

  def build_model(self) -> pix2seq_d.Pix2SeqD:
    """Returns the model with its first weights; see `Task`."""
    # Initialisers without a seed of their own draw from this one.
    tf_keras.utils.set_random_seed(self.config.training.seed)
    model = pix2seq_d.Pix2SeqD(self.config.model)
    model.build_weights()
    if self.config.training.freeze_encoder:
      model.freeze_encoder()
    recompute.set_recompute(model, self.config.training.recompute)
    return model

  def initialize(self, model: pix2seq_d.Pix2SeqD) -> load_report.Reports:
    """Loads `training.init_checkpoint`."""
    training = self.config.training
    return checkpoints.load_all(
      model, training.init_checkpoint, training.init_weights
    )

  def train_dataset(
    self,
    start_step: int,
    input_context: tf.distribute.InputContext | None = None,
  ) -> tf.data.Dataset:
    """As `pipeline.train_dataset`."""
    dataset = self.dataset(self.config.data.train_split)
    return pipeline.train_dataset(
      dataset, self.config, start_step, input_context
    )

  def eval_dataset(
    self, input_context: tf.distribute.InputContext | None = None
  ) -> tf.data.Dataset:
    """As `pipeline.eval_dataset`."""
    return pipeline.eval_dataset(self.eval_set, self.config, input_context)

  def loss(
    self,
    model: pix2seq_d.Pix2SeqD,
    batch: Tensors,
    compile_parts: bool = False,
  ) -> tuple[tf.Tensor, Tensors]:
    """The training loss of a batch; see `Task`."""
    past_masks = batch.get('past_masks')
    if past_masks is not None:
      past_masks = _known_classes(past_masks, self.config)
    loss, parts = model.loss(
      batch['image'],
      _known_classes(batch['label_map'], self.config),
      batch['seed'],
      self.config.loss,
      past_masks,
      compile_parts=compile_parts,
    )
    # Not a loss: the segments of an example that found no instance id.
    dropped = tf.cast(batch['num_dropped_segments'], tf.float32)
    return loss, {**parts, 'dropped_segments': tf.reduce_mean(dropped)}

  def initial_state(self, rows: int, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Nothing but the seed; see `Task`."""
    del rows
    return {'seed': seed}

  def predict_step(
    self, model: pix2seq_d.Pix2SeqD, batch: Tensors, state: Tensors
  ) -> tuple[dict[str, tf.Tensor], Tensors]:
    """Samples the label maps of a batch; see `Task`.

    Returns:
      'label_map' as `predict_label_map` has it, with the batch's `row_names`;
      and the state.
    """
    label_map, state = self.predict_label_map(model, batch, state)
    rows = {name: batch[name] for name in self.row_names}
    return {'label_map': label_map, **rows}, state

  def predict_label_map(
    self, model: pix2seq_d.Pix2SeqD, batch: Tensors, state: Tensors
  ) -> tuple[tf.Tensor, Tensors]:
    """Samples with noise that depends on an example's index alone.

    Args:
      model: From `build_model`.
      batch: 'image' uint8 `[b, H, W, 3]`, 'index' int64 `[b]`; perhaps 'given'
        int32 `[b, h, w, 2]` and 'known' bool `[b, h, w]`, see
        `Pix2SeqD.sample`.
      state: From `initial_state`; each row may have a seed of its own. With
        'steps', an int32 scalar, the sampler makes as many instead of its own.

    Returns:
      The decoded maps int32 `[b, h, w, 2]`, with `evaluation.samples` N above 1
      `[b, N, h, w, 2]`, N answers to each image; and the state.
    """
    settings = self.config.evaluation
    encoded = model.encode(batch['image'])
    seeds = self._row_seeds(batch, state)
    options: dict[str, Any] = {
      'given': batch.get('given'),
      'known': batch.get('known'),
      'steps': state.get('steps'),
    }
    if settings.samples == 1:
      x_0 = model.sample(
        encoded, None, settings.sampler, seeds=seeds, **options
      )
    else:
      x_0 = sampling.sample_several(
        model, encoded, seeds, settings.sampler, settings.samples, **options
      )
    return model.decode(x_0), state

  def batch_of_images(self, images: tf.Tensor, index: tf.Tensor) -> Tensors:
    """A batch for `predict_label_map` of images that are of no data set.

    What is known of its map is added by the caller: 'given' and 'known'.

    Args:
      images: uint8 `[b, H, W, 3]`.
      index: int64 `[b]`; in a clip, the numbers of the frames.
    """
    return {'image': images, 'index': index}

  def new_scorer(self, run: int = 0) -> scorer.Scorer:
    """Returns a scorer; several runs write into folders of their own."""
    folder = self._results_dir
    if folder and self.config.evaluation.runs > 1:
      folder = os.path.join(folder, f'run-{run:02d}')
    results = folder if self.config.evaluation.write_results else ''
    return scorer.Scorer(self.config, self.eval_set, results, folder)

  def visualize(
    self, model: pix2seq_d.Pix2SeqD, strategy: tf.distribute.Strategy
  ) -> dict[str, np.ndarray]:
    """Draws the first examples, or those of `evaluation.visualized_ids`.

    Args:
      model: The model to be shown.
      strategy: Where it is; all its replicas sample the same examples.

    Returns:
      'predictions', rows of image, truth and prediction; 'trajectory', rows of
      the image and of the prediction after 1, 2, 4, ... steps.
    """
    indices = self._visualized()
    if not len(indices):
      return {}
    shown = []
    # One at a time: as little memory as an evaluation with one example takes.
    config = copy.deepcopy(self.config)
    config.evaluation.batch_size = 1
    order = {'index': np.reshape(indices, [-1, 1])}
    for batch in pipeline.eval_in_order(self.eval_set, config, order):
      steps = self.show_on_replicas(
        strategy, model, batch['image'], batch['index']
      )
      steps = strategy.experimental_local_results(steps)[0]
      row = {name: batch[name][0].numpy() for name in self.row_names}
      shown.append((row, steps[:, 0].numpy()))
    return visualization.image_sheets(
      self.config, self.eval_set, shown, self._shown_steps()
    )

  def _visualized(self) -> np.ndarray:
    """The indices of the examples to draw."""
    settings, dataset = self.config.evaluation, self.eval_set
    if settings.visualized_ids:
      split = self.config.data.eval_split
      return image_choice.indices(dataset, settings.visualized_ids, split)
    return np.arange(dataset.num_examples)[: self.config.data.eval_examples][
      : settings.num_visualized
    ]

  def _check_visualized(self, dataset: dataset_lib.Dataset) -> None:
    """Raises ValueError for the id of an example that is not there."""
    ids = self.config.evaluation.visualized_ids
    if ids:
      image_choice.indices(dataset, ids, self.config.data.eval_split)

  def show_step(self, model, image, index):
    """Decoded maps of the shown steps, int32 `[n, 1, h, w, 2]`."""
    seed = tf.constant(self.config.evaluation.seed, tf.int64)
    batch = self.batch_of_images(image, index)
    found = self.predict_trajectory(model, batch, self.initial_state(1, seed))
    return tf.stack([found[n - 1] for n in self._shown_steps()])

  def predict_trajectory(
    self, model: pix2seq_d.Pix2SeqD, batch: Tensors, state: Tensors
  ) -> tf.Tensor:
    """How the sampler arrives at the maps of images that have no past.

    Args:
      model: See there.
      batch: See there.
      state: From `initial_state`.

    Returns:
      The decoded maps of all steps, int32 `[steps, b, h, w, 2]`; the last is
      that of `predict_label_map`, or the first of several.
    """
    x_0 = model.sample(
      model.encode(batch['image']),
      None,
      self._sampler_of_first(),
      trajectory=True,
      given=batch.get('given'),
      known=batch.get('known'),
      seeds=self._row_seeds(batch, state),
    )
    return model.decode(x_0)

  def _row_seeds(self, batch: Tensors, state: Tensors) -> tf.Tensor:
    """The seed of the noise of each row, int64 `[b, 2]`."""
    return prng.row_seeds(state['seed'], batch['index'])

  def _sampler_of_first(self) -> base.Sampler:
    """The sampler of images that have no past: of all of them here."""
    return self.config.evaluation.sampler

  def _shown_steps(self) -> list[int]:
    return visualization.shown_steps(self.config.evaluation.sampler.steps)


def _known_classes(label_map: tf.Tensor, config: base.Experiment) -> tf.Tensor:
  """Label maps `[..., 2 n]`; all classes 0 where the model knows no classes.

  So it is with DAVIS, whose objects have nothing but ids.
  """
  if config.model.num_classes > 1:
    return label_map
  return label_map * tf.constant([0, 1] * (label_map.shape[-1] // 2))
