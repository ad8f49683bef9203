"""TensorFlow's lowering for TPUs and their compiler, as other processes."""

import json
import os
import subprocess
import sys

from benchmarks.tpu import programs
from configs import loading


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
    self._folder, self._tensorflow = folder, tensorflow
    self._compiler, self._until = compiler, until
    self._path = os.path.join(folder, 'results.jsonl')
    self._found: dict[tuple[str, str], dict] = {}
    if os.path.exists(self._path):
      with open(self._path) as file:
        for line in file:
          self._remember(json.loads(line))

  def _remember(self, result: dict) -> None:
    self._found[result['program'], result['chip']] = result

  def _keep(self, result: dict) -> dict:
    self._remember(result)
    with open(self._path, 'a') as file:
      file.write(json.dumps(result) + '\n')
    return result

  def results(
    self, experiment: str, program: str, override: str, chips: list[str]
  ) -> dict[str, dict]:
    """What each chip's compiler says of a program; by chip."""
    config = loading.load(experiment, '', override)
    name = programs.file_name(experiment, program, config)
    missing = [chip for chip in chips if (name, chip) not in self._found]
    if missing:
      path = os.path.join(self._folder, name + '.hlo')
      problem = (
        ''
        if os.path.exists(path)
        else self._export(experiment, program, override)
      )
      for chip in missing:
        result = {'error': problem} if problem else self._compile(path, chip)
        self._keep({'program': name, 'chip': chip, **result})
      if os.path.exists(path):
        os.remove(path)  # They are tens of megabytes.
    return {chip: self._found[name, chip] for chip in chips}

  def _export(self, experiment: str, program: str, override: str) -> str:
    """Exports a program; returns the end of its errors, or ''."""
    paths = [p for p in (self._tensorflow, os.getcwd()) if p]
    run = subprocess.run(
      [
        *(sys.executable, '-m', 'benchmarks.tpu.export'),
        *(f'--of={experiment}', f'--program={program}'),
        *(f'--params_override={override}', f'--folder={self._folder}'),
      ],
      env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths)},
      capture_output=True,
      text=True,
    )
    return run.stderr[-1000:] if run.returncode else ''

  def _compile(self, path: str, chip: str) -> dict:
    """Compiles a program in the compiler's Python."""
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


def cell(result: dict) -> str:
  """A program's entry in the table."""
  if 'error' in result:
    return result['error'].strip().splitlines()[-1][:80]
  gib = result['temporary_bytes'] / 2**30
  return f'{gib:.2f}' if gib >= 0.01 else f'{gib:.1g}'
