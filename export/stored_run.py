"""The model of a run, with the weights that are exported."""

import dataclasses

from configs import base, run_settings
from models import checkpoint_file, load_report
from tasks.prediction import stored_model


@dataclasses.dataclass(frozen=True)
class StoredRun(stored_model.StoredModel):
  """A model, and what its checkpoint says of the training.

  Attributes:
    step: Number of updates that made the weights; 0 if nobody knows.
    folder: Folder of the run; '' if the weights are of none that is known.
  """

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
  found = stored_model.load(config, checkpoint)
  never = found.reports.never
  if never:
    sources = [checkpoint] if checkpoint else config.training.init_checkpoint
    raise ValueError(
      f'{", ".join(sources)} lacks weights of this model '
      f'({load_report.summary(never)}): use the configuration it was made with'
    )
  step, folder = 0, ''
  if checkpoint:
    step = checkpoint_file.Reader(checkpoint).step()
    folder = run_settings.folder_of_run(checkpoint)
  return StoredRun(**vars(found), step=step, folder=folder)
