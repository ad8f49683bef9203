"""Panoptic segmentation of images: what one trains and scores."""

import functools
import os
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np
import tensorflow as tf
import tf_keras

from configs import base
from data import datasets, labels, pipeline, transforms
from metrics import panoptic_files, panoptic_quality
from models import checkpoints, load_report, pix2seq_d
from tasks import pictures, sampling, segments

# Steps of the sampler that the trajectory shows (Figure 11).
_TRAJECTORY = (1, 2, 4, 8, 16)
_SIDE = 128  # Pixels: small pictures are shown at least this large.


class Panoptic:
  """The task of `training.task.Task`, with PQ for its score."""

  metric = 'PQ'
  loss_names = ('loss_class', 'loss_instance', 'dropped_segments')

  def __init__(self, config: base.Experiment, results_dir: str = ''):
    """Opens nothing yet; see `dataset`.

    Args:
      config: the experiment.
      results_dir: where `evaluation.write_results` puts its files; '' for a
        process that must not write.
    """
    self.config = config
    self._results_dir = results_dir if config.evaluation.write_results else ''
    self._datasets = {}
    self._show_of_one = self._show_step
    if config.training.jit_compile:
      self._show_of_one = tf.function(
        self._show_step, jit_compile=True, autograph=False
      )
    # Traced once, however often pictures are made.
    self._show = tf.function(self._show_of_replicas, autograph=False)

  def dataset(self, split: str):
    """The data set of a split, opened at the first call.

    Args:
      split: one of the data set's.

    Returns:
      What `data.datasets.create` gives.

    Raises:
      FileNotFoundError: where there are no such data.
      ValueError: where they are wrong, or do not fit the model.
    """
    if split not in self._datasets:
      self._datasets[split] = _open(self.config, split)
    return self._datasets[split]

  @property
  def eval_set(self):
    """The data set that is scored."""
    return self.dataset(self.config.data.eval_split)

  def save_description(self, directory: str) -> None:
    # Those who predict may not have the data.
    self.dataset(self.config.data.train_split).classes.save(directory)

  def build_model(self) -> pix2seq_d.Pix2SeqD:
    # Initialisers without a seed of their own draw from this one.
    tf_keras.utils.set_random_seed(self.config.training.seed)
    model = pix2seq_d.Pix2SeqD(self.config.model)
    model.build_weights()
    if self.config.training.freeze_encoder:
      model.freeze_encoder()
    return model

  def initialize(self, model: pix2seq_d.Pix2SeqD) -> load_report.Reports:
    training = self.config.training
    return checkpoints.load_all(
      model, training.init_checkpoint, training.init_weights
    )

  def train_dataset(self, start_step, input_context=None) -> tf.data.Dataset:
    dataset = self.dataset(self.config.data.train_split)
    return pipeline.train_dataset(
      dataset, self.config, start_step, input_context
    )

  def eval_dataset(self, input_context=None) -> tf.data.Dataset:
    return pipeline.eval_dataset(self.eval_set, self.config, input_context)

  def loss(self, model, batch):
    past_masks = batch.get('past_masks')
    if past_masks is not None:
      past_masks = _as_the_model(past_masks, self.config)
    loss, parts = model.loss(
      batch['image'],
      _as_the_model(batch['label_map'], self.config),
      batch['seed'],
      self.config.loss,
      past_masks,
    )
    # Not a loss: how many segments of an example found no instance id.
    dropped = tf.reduce_mean(tf.cast(batch['dropped'], tf.float32))
    return loss, {**parts, 'dropped_segments': dropped}

  def first_memory(self, rows: int, seed: tf.Tensor) -> Dict[str, tf.Tensor]:
    del rows
    return {'seed': seed}

  def predict_step(self, model, batch, memory):
    x_0 = self._sample(model, batch['image'], batch['index'], memory['seed'])
    outputs = {'label_map': model.decode(x_0)}
    for name in ('image_id', 'valid', 'original_size', 'unpadded_size'):
      outputs[name] = batch[name]
    return outputs, memory

  def predict_photo(self, model, image, index) -> tf.Tensor:
    """The decoded map int32 `[h, w, 2]` of one image `[H, W, 3]`."""
    return model.decode(self._sample(model, image[None], index[None]))[0]

  def new_scorer(self, run: int = 0) -> 'Scorer':
    return Scorer(self.config, self.eval_set, self._results_of(run))

  def _results_of(self, run: int) -> str:
    """Where a run's files go; '': nowhere."""
    if self.config.evaluation.runs == 1 or not self._results_dir:
      return self._results_dir
    return os.path.join(self._results_dir, f'run-{run:02d}')

  def pictures(self, model, strategy) -> Dict[str, np.ndarray]:
    """The first examples, and how the sampler arrives at them.

    Args:
      model: the model to be shown.
      strategy: where it is; all its replicas sample the same examples.

    Returns:
      'predictions', rows of image, truth and prediction; 'trajectory', rows
      of the image and of the prediction after 1, 2, 4, ... steps.
    """
    count = self.config.evaluation.num_pictures
    if not count:
      return {}
    rows, trajectories = [], []

    # One at a time: as little memory as an evaluation with one example takes.
    examples = self.eval_dataset().unbatch().filter(lambda x: x['valid'])
    for batch in examples.take(count).batch(1):
      steps = self._show(strategy, model, batch['image'], batch['index'])
      steps = strategy.experimental_local_results(steps)[0].numpy()
      image_id = int(batch['image_id'][0])
      sizes = (
        batch['unpadded_size'][0].numpy(),
        batch['original_size'][0].numpy(),
      )
      image = self.eval_set.image(image_id)
      factor = max(1, -(-_SIDE // image.shape[0]))
      shown = [
        pictures.enlarge(self._painted(label_map[0], *sizes), factor)
        for label_map in steps
      ]
      truth = self.eval_set.ground_truth(image_id)
      truth = pictures.paint(
        truth.segment_ids, truth.segments, self.eval_set.classes
      )
      image = pictures.enlarge(image, factor)
      rows.append([image, pictures.enlarge(truth, factor), shown[-1]])
      trajectories.append([image, *shown])
    return {
      'predictions': pictures.grid(rows),
      'trajectory': pictures.grid(trajectories[:4]),
    }

  def _painted(self, label_map, unpadded_size, original_size) -> np.ndarray:
    classes = self.eval_set.classes
    found = to_segments(
      label_map, unpadded_size, original_size, self.config, classes
    )
    return pictures.paint(*found, classes)

  def _show_of_replicas(self, strategy, model, *tensors):
    # As in evaluation, what a replica does is compiled, not the distribution to
    # replicas. TPUs are given tensors only.
    step = functools.partial(self._show_of_one, model)
    return strategy.run(step, args=tensors)

  def _show_step(self, model, image, index):
    """Decoded maps of the shown steps, int32 `[n, 1, h, w, 2]`."""
    x_0 = self._sample(model, image, index, trajectory=True)
    total = self.config.evaluation.sampler.steps
    steps = [n - 1 for n in _TRAJECTORY if n < total] + [total - 1]
    return tf.stack([model.decode(x_0[i]) for i in steps])

  def _sample(self, model, image, index, seed=None, trajectory=False):
    """Samples with noise that depends on an example's index alone."""
    evaluation = self.config.evaluation
    if seed is None:
      seed = tf.constant(evaluation.seed, tf.int64)
    return sampling.sample(
      model,
      model.encode(image),
      sampling.row_seeds(seed, index),
      evaluation.sampler,
      trajectory=trajectory,
    )


class Scorer:
  """Predicted maps to PQ, and to official result files where asked for."""

  def __init__(self, config: base.Experiment, dataset, results_dir: str = ''):
    self._config, self._dataset = config, dataset
    self._quality = panoptic_quality.PanopticQuality(dataset.classes.categories)
    self._writer = None
    if results_dir:
      os.makedirs(results_dir, exist_ok=True)
      self._writer = panoptic_files.ResultWriter(
        os.path.join(results_dir, 'panoptic'),
        os.path.join(results_dir, 'panoptic.json'),
        dataset.classes.categories,
      )

  def update(self, outputs: Mapping[str, np.ndarray]) -> None:
    """Takes rows of `Panoptic.predict_step`, without padding rows."""
    for label_map, image_id, unpadded_size, original_size in zip(
      outputs['label_map'],
      outputs['image_id'].tolist(),
      outputs['unpadded_size'],
      outputs['original_size'],
      strict=True,
    ):
      segment_ids, found = to_segments(
        label_map,
        unpadded_size,
        original_size,
        self._config,
        self._dataset.classes,
      )
      name = self._dataset.file_name(image_id)
      self._quality.update(
        self._dataset.ground_truth(image_id),
        panoptic_quality.PanopticMap(segment_ids, found),
        image=name,
      )
      if self._writer is not None:
        stem = os.path.splitext(name)[0]
        self._writer.add(image_id, f'{stem}.png', segment_ids, found)

  def result(self) -> Dict[str, float]:
    """PQ, SQ and RQ in percent, over all classes, things and stuff."""
    if self._writer is not None:
      self._writer.close()
    scores = {}
    result = self._quality.result()
    for group, suffix in (
      ('All', ''),
      ('Things', '_things'),
      ('Stuff', '_stuff'),
    ):
      for name in ('pq', 'sq', 'rq'):
        scores[name.upper() + suffix] = 100 * result[group][name]
    scores['images'] = self._quality.num_images
    return scores


def _open(config: base.Experiment, split: str):
  """Opens a split, whose classes must be those of the model."""
  dataset = datasets.create(config.data, split)
  classes, known = dataset.classes.num_classes, config.model.num_classes
  # A single class needs no name: see `_as_the_model`.
  if classes > known and (classes, known) != (2, 1):
    raise ValueError(
      f'model.num_classes is {known}, but {config.data.name}'
      f' has {classes} with void: change it to that'
    )
  return dataset


def _as_the_model(label_map: tf.Tensor, config: base.Experiment) -> tf.Tensor:
  """Label maps `[..., 2 n]`; all classes 0 where the model knows no classes.

  Such is DAVIS, whose objects have nothing but ids.
  """
  if config.model.num_classes > 1:
    return label_map
  return label_map * tf.constant([0, 1] * (label_map.shape[-1] // 2))


def to_segments(
  label_map: np.ndarray,
  unpadded_size: Sequence[int],
  original_size: Sequence[int],
  config: base.Experiment,
  classes: labels.ClassTable,
) -> Tuple[np.ndarray, List[Dict[str, Any]]]:
  """A decoded map to segments of the picture's own size.

  Args:
    label_map: int32 `[h, w, 2]`, at mask size.
    unpadded_size: rows and columns of the input that are picture.
    original_size: rows and columns of the picture.
    config: the experiment.
    classes: the data set's table.

  Returns:
    As `segments.from_label_map`.
  """
  label_map = transforms.to_original_size(
    label_map, config.model.image_size, unpadded_size, original_size
  )
  if config.model.num_classes == 1:  # Whatever has an id is of the one class.
    has_id = np.minimum(label_map[..., 1:], 1)
    label_map = np.concatenate([has_id, label_map[..., 1:]], axis=-1)
  # The model may know more classes than the data set; those are void.
  known = label_map[..., :1] < classes.num_classes
  label_map = np.where(known, label_map, 0)
  if config.evaluation.segments_by == 'class_and_id':
    label_map = segments.by_class_and_id(
      label_map, classes, config.model.max_instances
    )
  return segments.from_label_map(
    label_map, classes, config.evaluation.min_segment_pixels
  )
