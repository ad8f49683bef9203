"""Scores of several seeds, as text."""

import statistics
from collections.abc import Sequence


def text(values: Sequence[float]) -> str:
  """Mean and standard deviation, as '62.1 ± 0.3'; of one value '62.1'."""
  mean = f'{statistics.fmean(values):.1f}'
  if len(values) < 2:
    return mean
  return f'{mean} ± {statistics.stdev(values):.1f}'
