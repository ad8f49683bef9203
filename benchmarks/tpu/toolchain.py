"""TensorFlow's lowering for TPUs and their compiler, as other processes."""

import glob
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from absl import app

from panoptic.console import command_line

_FOLDER = command_line.define_path(
  'folder', '/tmp/pix2seq_d_tpu', 'Where what compilers said is kept.'
)
_TENSORFLOW = command_line.define_path(
  'tensorflow', '', 'Folder in which tensorflow-tpu is installed.'
)
_COMPILER = command_line.define_path(
  'compiler', '', 'Python with benchmarks/tpu/requirements.txt.'
)


class Toolchain:
  """Exports and compiles programs, and remembers what came of it."""

  def __init__(self, folder: str, tensorflow: str, compiler: str, until: str):
    """Reads what earlier calls found.

    Args:
      folder: Made where it is missing.
      tensorflow: Where tensorflow-tpu is; '': this TensorFlow.
      compiler: Python of the compiler.
      until: 'schedule' or 'code'.
    """
    os.makedirs(folder, exist_ok=True)
    self._tensorflow, self._compiler = tensorflow, compiler
    self._until = until
    self._path = os.path.join(folder, 'results.jsonl')
    self._found: dict[tuple[str, ...], dict] = {}
    if os.path.exists(self._path):
      with open(self._path) as file:
        for line in file:
          of, result = json.loads(line)
          self._found[tuple(of)] = result
      print(
        f'{self._path} holds {len(self._found)} results, which are not asked '
        'for again; delete it after a change of the programs.',
        file=sys.stderr,
      )

  def results(
    self, experiment: str, program: str, override: str, chips: Sequence[str]
  ) -> dict[str, dict]:
    """What each chip's compiler says of a program.

    Args:
      experiment: Its registered name.
      program: One of `programs.PROGRAMS`.
      override: Fields to change.
      chips: Of `compile.TOPOLOGIES`.

    Returns:
      By chip: 'temporary_bytes' and more; or 'error', which is not kept.
    """
    of = {
      chip: (experiment, program, override, self._until, chip) for chip in chips
    }
    found = {
      chip: self._found[of[chip]] for chip in chips if of[chip] in self._found
    }
    missing = [chip for chip in chips if chip not in found]
    if missing:
      with tempfile.TemporaryDirectory() as scratch:
        problem = self._export(experiment, program, override, scratch)
        for chip in missing:
          found[chip] = (
            {'error': problem} if problem else self._compile(scratch, chip)
          )
          if 'error' not in found[chip]:
            self._keep(of[chip], found[chip])
    return found

  def _keep(self, of: tuple[str, ...], result: dict) -> None:
    self._found[of] = result
    with open(self._path, 'a') as file:
      file.write(json.dumps([of, result]) + '\n')

  def _export(
    self, experiment: str, program: str, override: str, folder: str
  ) -> str:
    """Exports a program; returns the end of its errors, or ''."""
    paths = [p for p in (self._tensorflow, os.getcwd()) if p]
    run = subprocess.run(
      [
        *(sys.executable, '-m', 'benchmarks.tpu.export'),
        *(f'--of={experiment}', f'--program={program}'),
        *(f'--params_override={override}', f'--folder={folder}'),
      ],
      env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths)},
      capture_output=True,
      text=True,
    )
    return run.stderr[-1000:] if run.returncode else ''

  def _compile(self, folder: str, chip: str) -> dict:
    """Compiles the folder's program in the compiler's Python."""
    (path,) = glob.glob(os.path.join(folder, '*.hlo'))
    run = subprocess.run(
      [
        *(self._compiler, '-m', 'benchmarks.tpu.compile'),
        *(f'--chip={chip}', f'--until={self._until}', path),
      ],
      capture_output=True,
      text=True,
    )
    if run.returncode:
      return {'error': run.stderr[-1000:]}
    return json.loads(run.stdout.splitlines()[-1])


def from_flags(until: str) -> Toolchain:
  """The tools that the flags name.

  Raises:
    app.UsageError: If they name no compiler.
  """
  if not _COMPILER.value:
    raise app.UsageError('--compiler is missing: see docs/accelerators.md')
  return Toolchain(_FOLDER.value, _TENSORFLOW.value, _COMPILER.value, until)


def cell(result: dict) -> str:
  """A program's entry in the table."""
  if 'error' in result:
    return result['error'].strip().splitlines()[-1][:80]
  gib = result['temporary_bytes'] / 2**30
  return f'{gib:.2f}' if gib >= 0.01 else f'{gib:.1g}'
