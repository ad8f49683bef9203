"""A model with its weights, as a checkpoint holds them."""

import dataclasses

from configs import base
from models import checkpoints, load_report, pix2seq_d, precision
from panoptic import classes as classes_lib
from tasks import class_file, factory, images


@dataclasses.dataclass(frozen=True)
class StoredModel:
  """A model with what is needed to use it.

  Attributes:
    task: The task.
    model: With its weights.
    reports: Where each weight comes from.
    classes: The classes that it was trained on.
  """

  task: images.ImageTask
  model: pix2seq_d.Pix2SeqD
  reports: load_report.Reports
  classes: classes_lib.ClassTable


def load(config: base.Experiment, checkpoint: str | None) -> StoredModel:
  """Builds a model, and loads the weights that `evaluation.weights` names.

  Args:
    config: The experiment that the model was trained with.
    checkpoint: Path or folder; None for `training.init_checkpoint`.

  Raises:
    FileNotFoundError: If there is no checkpoint.
    ValueError: If a checkpoint is damaged, or does not fit the model.
  """
  sources = [checkpoint] if checkpoint else config.training.init_checkpoint
  if not sources:
    raise FileNotFoundError(
      'no weights to predict with: give --model_dir or --checkpoint'
    )
  classes = class_file.of_weights(config, checkpoint)
  task = factory.create(config)
  with precision.scope(config.training.precision):
    model = task.build_model()
  reports = checkpoints.load_all(model, sources, config.evaluation.weights)
  return StoredModel(task, model, reports, classes)
