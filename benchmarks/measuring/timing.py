"""Times of methods that do the same, taken in turns."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence


def median_times(
  methods: Mapping[str, Callable],
  inputs: Sequence[tuple],
  rounds: int,
  clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
  """Median milliseconds of a call of each method.

  Args:
    methods: By name; they take turns at going through all inputs.
    inputs: The arguments of each call.
    rounds: How often each method goes through the inputs.
    clock: Returns the time in seconds.
  """
  times: dict[str, list[float]] = {name: [] for name in methods}
  for name, method in rounds * list(methods.items()):
    for arguments in inputs:
      start = clock()
      method(*arguments)
      times[name].append(1e3 * (clock() - start))
  return {name: statistics.median(values) for name, values in times.items()}
