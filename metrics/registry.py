"""The metrics by name, as experiments and tasks ask for them.

A new metric is one module, with a class that is a `metric.Metric`, and one
entry here.
"""

from collections.abc import Callable
from typing import NamedTuple

from metrics import j_and_f, metric, panoptic_quality, stq, tube_metric, vpq
from panoptic import classes


class Spec(NamedTuple):
  """How a metric is made and used.

  Attributes:
    make: Makes the metric of a data set's classes. A model's segment ids of
      stuff mean nothing, so metrics of videos merge stuff.
    main_score: The name of the score that decides on the best checkpoint.
    video: Whether it scores videos; else it scores images.
  """

  make: Callable[[classes.ClassTable], metric.Metric]
  main_score: str
  video: bool


def _stq_and_vpq(table: classes.ClassTable) -> metric.Metric:
  return tube_metric.Several(
    {
      'STQ': stq.SegmentationTrackingQuality(
        table.categories, merge_stuff=True
      ),
      'VPQ': vpq.VideoPanopticQuality(table.categories, merge_stuff=True),
    }
  )


METRICS = {
  'pq': Spec(
    lambda table: panoptic_quality.PanopticQuality(table.categories),
    main_score='PQ',
    video=False,
  ),
  'stq': Spec(_stq_and_vpq, main_score='STQ', video=True),
  'j_and_f': Spec(
    lambda table: j_and_f.JAndF('unsupervised'),
    main_score='J_and_F',
    video=True,
  ),
}


def names(video: bool) -> list[str]:
  """The names of the metrics that score videos, or images."""
  return [name for name, spec in METRICS.items() if spec.video == video]
