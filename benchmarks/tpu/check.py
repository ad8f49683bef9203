"""Lowers and compiles all programs of experiments for TPUs, without one.

  python -m benchmarks.tpu.check --tensorflow=TPU_TENSORFLOW \
    --compiler=COMPILER/bin/python

Each program is exported and compiled in processes of their own. What was found
is kept in `results.jsonl` of --folder: another call goes on where one ended. A
table says, for each program and chip, the memory of its temporaries, or what
went wrong.
"""

import sys
import time

from absl import app, flags

from benchmarks.tpu import compile as compile_lib
from benchmarks.tpu import programs as programs_lib
from benchmarks.tpu import toolchain
from configs import loading

_EXPERIMENTS = flags.DEFINE_multi_string(
  'of', ['all'], "Experiments, or 'all' that are registered."
)
_PROGRAMS = flags.DEFINE_multi_enum(
  'program',
  list(programs_lib.PROGRAMS),
  programs_lib.PROGRAMS,
  'Programs.',
)
_CHIPS = flags.DEFINE_multi_enum(
  'chip', ['v4', 'v5e'], list(compile_lib.TOPOLOGIES), 'Chips.'
)
_OVERRIDE = flags.DEFINE_string(
  'params_override', 'training.recompute=true', 'Fields to change.'
)
_UNTIL = flags.DEFINE_enum(
  'until', 'schedule', ['schedule', 'code'], 'Where a compilation ends.'
)


def main(argv) -> None:
  """Prints the table, row by row as it is found."""
  del argv
  tools = toolchain.from_flags(_UNTIL.value)
  names = _EXPERIMENTS.value
  if names == ['all']:
    names = loading.names()
  start = time.monotonic()
  print(f'| GiB of temporaries | {" | ".join(_CHIPS.value)} |')
  print('|---' * (1 + len(_CHIPS.value)) + '|', flush=True)
  failed = 0
  for name in names:
    for program in _PROGRAMS.value:
      found = tools.results(name, program, _OVERRIDE.value, _CHIPS.value)
      cells = [toolchain.cell(found[chip]) for chip in _CHIPS.value]
      failed += sum('error' in result for result in found.values())
      print(f'| `{name}` {program} | {" | ".join(cells)} |', flush=True)
  minutes = (time.monotonic() - start) / 60
  print(f'\n{failed} failed; {minutes:.0f} minutes.')
  if failed:
    sys.exit(1)


if __name__ == '__main__':
  app.run(main)
