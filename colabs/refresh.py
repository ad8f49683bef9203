"""Runs the notebooks on fresh kernels, and stores their outputs.

  python -m colabs.refresh
  python -m colabs.refresh --only=video,paper

Nothing of this machine is stored: neither its paths nor times, nor what
libraries write to the error stream. What a notebook writes is removed at the
end, and no run of the user is touched.
"""

import json
import os
import pathlib
import tempfile
import time
from collections.abc import Iterator, Sequence

import nbclient
import nbformat
from absl import app, flags

from panoptic import files
from panoptic.console import command_line, progress

FOLDER = pathlib.Path(__file__).resolve().parent
NAMES = ('quickstart', 'your_own_images', 'video', 'paper')
_ROOT = FOLDER.parent
_FIRST = 'first_cell.py'  # The first cell of code of all notebooks.
_SECONDS = 1200  # For a cell.
_LARGEST = 1_500_000  # Bytes of a stored notebook.
_KERNEL = {
  'kernelspec': {
    'display_name': 'Python 3',
    'language': 'python',
    'name': 'python3',
  },
  'language_info': {'name': 'python'},
}
_PNG, _TEXT = 'image/png', 'text/plain'


def path_of(name: str) -> pathlib.Path:
  """The file of a notebook."""
  return FOLDER / f'{name}.ipynb'


def first_cell() -> str:
  """The text of the first cell of code."""
  return (FOLDER / _FIRST).read_text().rstrip('\n')


def execute(name: str) -> nbformat.NotebookNode:
  """Runs a notebook on a fresh kernel, in a folder that is then removed.

  The folder has links to all that is in the project's, so that paths are as a
  user has them, and what is written in there is not in the project.

  Args:
    name: Of `NAMES`.

  Returns:
    The notebook with its outputs, as it is to be stored.

  Raises:
    nbclient.exceptions.CellExecutionError: If a cell fails; has its traceback.
    ValueError: As `clean`.
  """
  notebook = nbformat.read(path_of(name), as_version=4)
  code = [cell for cell in notebook.cells if cell.cell_type == 'code']
  code[0].source = first_cell()
  with tempfile.TemporaryDirectory() as folder:
    for entry in _ROOT.iterdir():
      if entry.name != 'runs' and not entry.name.startswith('.'):
        os.symlink(entry, os.path.join(folder, entry.name))
    client = nbclient.NotebookClient(
      notebook,
      timeout=_SECONDS,
      coalesce_streams=True,
      record_timing=False,
      resources={'metadata': {'path': folder}},
    )
    # The user's own settings of IPython have no part in it.
    own = {'IPYTHONDIR': os.path.join(folder, '.ipython')}
    client.execute(env={**os.environ, **own})
    clean(notebook, name, (folder, str(_ROOT), str(pathlib.Path.home())))
  return notebook


def clean(
  notebook: nbformat.NotebookNode, name: str, private: Sequence[str]
) -> None:
  """Removes of a notebook that was run what is not to be stored.

  Args:
    notebook: Changed in place.
    name: For messages.
    private: Texts that must not be in it, such as paths of this machine.

  Raises:
    ValueError: If an output holds one of them, or the notebook is too large.
  """
  notebook.metadata = nbformat.from_dict(_KERNEL)
  for number, cell in enumerate(notebook.cells):
    cell.metadata = nbformat.NotebookNode()
    cell.id = f'cell-{number:02d}'
    if cell.cell_type != 'code':
      continue
    cell.outputs = [output for output in cell.outputs if _is_stored(output)]
    for output in cell.outputs:
      _strip(output)
      shown = _texts(output)
      for text in private:
        if text in shown:
          raise ValueError(
            f'{name}: the output of cell {number} holds {text}, which is of '
            'this machine: print relative paths in that cell'
          )
  size = len(nbformat.writes(notebook).encode())
  if size > _LARGEST:
    raise ValueError(
      f'{name} would have {size:,} bytes, more than {_LARGEST:,}: show fewer '
      'or smaller pictures'
    )


def _is_stored(output: nbformat.NotebookNode) -> bool:
  """Whether it is more than a line of a library, or an empty place."""
  if output.output_type == 'stream':
    return output.name == 'stdout'
  return output.output_type == 'error' or any(output.data.values())


def _strip(output: nbformat.NotebookNode) -> None:
  """Leaves of a picture's forms the one that is shown."""
  if output.output_type not in ('display_data', 'execute_result'):
    return
  output.metadata = nbformat.NotebookNode()
  if _PNG in output.data:
    kept = (_PNG, _TEXT)
    output.data = {k: v for k, v in output.data.items() if k in kept}


def _texts(output: nbformat.NotebookNode) -> str:
  """All of an output but its pictures."""
  data = {k: v for k, v in output.get('data', {}).items() if '/png' not in k}
  return json.dumps({**output, 'data': data})


def run(names: Sequence[str]) -> Iterator[str]:
  """Refreshes notebooks, each whole or not at all.

  Args:
    names: Of `NAMES`.

  Yields:
    A line for each.

  Raises:
    ValueError: If there is no such notebook, before any is run; or as `clean`.
    nbclient.exceptions.CellExecutionError: If a cell fails.
  """
  for name in names:
    if name not in NAMES:
      raise ValueError(f'{name!r} is no notebook: choose of {", ".join(NAMES)}')
  for name in names:
    start = time.monotonic()
    text = nbformat.writes(execute(name))
    files.write_text(path_of(name), f'{text.rstrip()}\n')
    seconds = progress.duration(time.monotonic() - start)
    yield f'{path_of(name).name}: {len(text):,} bytes, made in {seconds}'


def _define_flags() -> None:
  flags.DEFINE_list('only', list(NAMES), 'Names of notebooks.')


def _run() -> None:
  for line in run(flags.FLAGS.only):
    print(line, flush=True)


def main(argv) -> None:
  """Refreshes the notebooks that the flags name."""
  command_line.run(argv, _run)


if __name__ == '__main__':
  _define_flags()
  app.run(main)
