"""The model of a run, with the weights that are exported."""

import os
from typing import NamedTuple

from configs import base
from models import (
  checkpoint_file,
  checkpoints,
  load_report,
  pix2seq_d,
  precision,
)
from panoptic import classes as classes_lib
from tasks import class_file, factory, images


class StoredRun(NamedTuple):
  """A model with what is needed to use it.

  Attributes:
    task: The task.
    model: With its weights.
    reports: Where each weight comes from.
    classes: The classes that it was trained on.
    step: Number of updates that made the weights; 0 if nobody knows.
    folder: Folder of the run; '' if the weights are of none.
  """

  task: images.ImageTask
  model: pix2seq_d.Pix2SeqD
  reports: load_report.Reports
  classes: classes_lib.ClassTable
  step: int
  folder: str


def load(config: base.Experiment, checkpoint: str | None) -> StoredRun:
  """Loads the weights that `evaluation.weights` names.

  Args:
    config: The experiment that the model was trained with.
    checkpoint: Prefix of a checkpoint; None for `training.init_checkpoint`.

  Raises:
    FileNotFoundError: If there is no checkpoint.
    ValueError: If a checkpoint is damaged, or lacks a weight of the model.
  """
  sources = [checkpoint] if checkpoint else config.training.init_checkpoint
  classes = class_file.of_weights(config, checkpoint)
  task = factory.create(config)
  with precision.scope(config.training.precision):
    model = task.build_model()
  reports = checkpoints.load_all(model, sources, config.evaluation.weights)
  if reports.never:
    raise ValueError(
      f'{", ".join(sources)} lacks weights of this model '
      f'({load_report.summary(reports.never)}): use the configuration it was '
      'made with'
    )
  step, folder = 0, ''
  if checkpoint:
    step = checkpoint_file.Reader(checkpoint).step()
    folder = _folder_of_run(checkpoint)
  return StoredRun(task, model, reports, classes, step, folder)


def _folder_of_run(checkpoint: str) -> str:
  """The folder above `best/`, or that of the checkpoint."""
  folder = os.path.dirname(checkpoint)
  above, name = os.path.split(folder)
  return above if name == 'best' else folder
