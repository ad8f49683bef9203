"""Log lines: the progress of a run, and its scores."""

import contextlib
from collections.abc import Iterator, Mapping

from absl import logging
from orbit import controller

from panoptic.console import progress

duration = progress.duration


def log(line: str) -> None:
  """Prints a line at once."""
  print(line, flush=True)


@contextlib.contextmanager
def without_orbits() -> Iterator[None]:
  """Leaves out the lines that Orbit prints, which say the same as ours.

  They go to absl's log alone, where --verbosity=0 shows them.
  """
  printing = controller._log  # Orbit has no option for it.
  controller._log = logging.info
  try:
    yield
  finally:
    controller._log = printing


def training_line(
  step: int, total_steps: int, output: Mapping[str, float]
) -> str:
  """Returns the line of one loop of training.

  Args:
    step: Number of updates made.
    total_steps: Length of the run.
    output: Values of the loop, as `Trainer.output`.
  """
  seconds = output['seconds_per_step']
  return (
    f'step {step}/{total_steps} | '
    f'{1.0 / max(seconds, 1e-9):.3g} steps/s | '
    f'{duration(seconds * (total_steps - step))} left | '
    f'loss {output["loss"]:.5g} | '
    f'gradient {output["gradient_norm"]:.3g} | '
    f'rate {output["learning_rate"]:.3g}'
  )


def scores_lines(
  step: int, metric: str, scores: Mapping[str, float], note: str = ''
) -> str:
  """Returns the line of the score that counts, and that of the others.

  Args:
    step: Number of updates made.
    metric: Name of the score that counts.
    scores: All scores by name.
    note: Follows the first.
  """
  others = [
    f'{name} {value:.6g}' for name, value in scores.items() if name != metric
  ]
  line = f'step {step} | {metric} {scores[metric]:.5g}{note}'
  return f'{line}\n  {", ".join(others)}' if others else line


def evaluation_line(
  batches: int, num_batches: int, seconds_a_batch: float | None
) -> str:
  """Returns the line of an evaluation in progress.

  Args:
    batches: Number of batches done.
    num_batches: Number of all batches; below 1 if it is not known.
    seconds_a_batch: Mean time of a batch; None if it is not known yet.
  """
  known = num_batches >= 1
  line = f'evaluation: batch {batches}' + (f'/{num_batches}' if known else '')
  if seconds_a_batch is None:
    return line
  if not known:
    return f'{line} | {seconds_a_batch:.3g} s a batch'
  return f'{line} | {duration(seconds_a_batch * (num_batches - batches))} left'
