"""The tasks by the names that experiments call them."""

from configs import base
from tasks import panoptic, video

TASKS = {'panoptic': panoptic.Panoptic, 'video': video.Video}


def create(config: base.Experiment, results_dir: str = '') -> panoptic.Panoptic:
  """Makes the task of an experiment; arguments as for `panoptic.Panoptic`."""
  return TASKS[config.task](config, results_dir)
