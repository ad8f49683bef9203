"""Lines that say how far a run is."""

from collections.abc import Mapping


def log(line: str) -> None:
  """Prints a line at once."""
  print(line, flush=True)


def duration(seconds: float) -> str:
  """Returns a readable length of time: '45s', '3m05s', '7h30m', '2d04h'."""
  total = int(round(seconds))
  minutes, hours, days = total // 60, total // 3600, total // 86400
  if days:
    return f'{days}d{hours % 24:02d}h'
  if hours:
    return f'{hours}h{minutes % 60:02d}m'
  if minutes:
    return f'{minutes}m{total % 60:02d}s'
  return f'{total}s'


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


def evaluation_line(batches: int, num_batches: int, seconds: float) -> str:
  """Returns the line of an evaluation in progress.

  Args:
    batches: Number of batches done.
    num_batches: Number of all batches; below 1 if it is not known.
    seconds: Time spent on them.
  """
  if num_batches < 1:
    return f'evaluation: batch {batches} | {duration(seconds)}'
  left = seconds / batches * (num_batches - batches)
  return f'evaluation: batch {batches}/{num_batches} | {duration(left)} left'
