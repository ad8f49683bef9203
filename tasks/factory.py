"""The tasks by the names that experiments call them."""

from configs import base
from panoptic import classes as classes_lib
from tasks import images, videos

TASKS: dict[str, type[images.ImageTask]] = {
  'panoptic': images.ImageTask,
  'video': videos.VideoTask,
}


def create(
  config: base.Experiment,
  results_dir: str = '',
  classes: classes_lib.ClassTable | None = None,
) -> images.ImageTask:
  """Makes the task of an experiment; arguments as for `images.ImageTask`."""
  return TASKS[config.task](config, results_dir, classes)
