"""Does a claim hold in a small experiment?

A contrast is decided where it is farther from 0 than twice its standard error,
which pools the deviations of its variants over seeds.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks.controlled import claims

SAME, NOT_HERE, OPEN = 'same', 'not here', 'open'
ERRORS = 2.0  # Standard errors that decide.
RULE = (
  'A statement is "same" where its difference is above 0 by more than two '
  'standard errors, "not here" where it is below 0 by more than two, else '
  '"open", as with fewer than two seeds. The squared standard error is the sum '
  'of w^2 s^2 / n over its variants: weight, standard deviation over seeds, '
  'seeds. A claim is "same" if all its statements are, and "not here" if one '
  'is.'
)

# Scores by the name of a variant, one for each seed.
Scores = Mapping[str, Sequence[float]]


class Finding(NamedTuple):
  """What came out of a contrast.

  Attributes:
    text: The statement.
    verdict: `SAME`, `NOT_HERE` or `OPEN`.
    estimate: The contrast; NaN where a variant has no score.
    error: Its standard error; NaN where a variant has fewer than two.
  """

  text: str
  verdict: str
  estimate: float
  error: float


def find(contrast: claims.Contrast, scores: Scores) -> Finding:
  """Decides a contrast."""
  estimate, variance = 0.0, 0.0
  for name, weight in contrast.weights.items():
    values = scores.get(name, ())
    estimate += weight * statistics.fmean(values) if values else math.nan
    if len(values) < 2:
      variance = math.nan
    else:
      variance += weight**2 * statistics.variance(values) / len(values)
  error = math.sqrt(variance)
  verdict = OPEN
  if estimate > ERRORS * error:  # False if one of them is NaN.
    verdict = SAME
  elif estimate < -ERRORS * error:
    verdict = NOT_HERE
  return Finding(contrast.text, verdict, estimate, error)


def together(findings: Sequence[Finding]) -> str:
  """The verdict on a claim with these contrasts."""
  verdicts = {finding.verdict for finding in findings}
  if verdicts == {SAME}:
    return SAME
  return NOT_HERE if NOT_HERE in verdicts else OPEN
