"""`training.csv`: the values of every log step, for tables and charts."""

import csv
import io
import math
import os
from collections.abc import Mapping, Sequence

from panoptic import files

FILE = 'training.csv'
_STEP = 'step'


class TrainingLog:
  """Appends a line a log step; only the process that trains may have one."""

  def __init__(self, model_dir: str, names: Sequence[str], step: int):
    """Mends the file of an earlier start, if there is one.

    A line that a kill has cut short is removed, and so are those of steps that
    are made again. Columns that were not there before are empty in the lines
    before.

    Args:
      model_dir: Folder of the run, which exists.
      names: Names of the values.
      step: From which the run goes on.
    """
    self._path = os.path.join(model_dir, FILE)
    rows = [row for row in read(model_dir) if row[_STEP] <= step]
    before = [name for row in rows[:1] for name in row]
    self._names = list(dict.fromkeys([*before, _STEP, *names]))
    content = ''.join(
      [_line(self._names), *(self._line_of_row(row) for row in rows)]
    )
    if not files.exists(self._path) or content != _text(self._path):
      files.write_text(self._path, content)

  def append(self, step: int, values: Mapping[str, float]) -> None:
    """Adds the values of a step; those that are left out are empty."""
    with files.open_file(self._path, 'a') as file:
      file.write(self._line_of_row({_STEP: step, **values}))

  def _line_of_row(self, row: Mapping[str, float]) -> str:
    values = (row.get(name, math.nan) for name in self._names)
    return _line(['' if math.isnan(x) else f'{x:.10g}' for x in values])


def read(model_dir: str) -> list[dict[str, float]]:
  """Returns the whole lines of a run, by increasing step; [] without a file.

  Returns:
    Of each line its values by name, `step` among them; NaN for an empty one.
  """
  path = os.path.join(model_dir, FILE)
  if not files.exists(path):
    return []
  lines = _text(path).splitlines(keepends=True)
  names, *of_steps = list(csv.reader(lines)) or [[]]
  if lines and not lines[-1].endswith('\n') and of_steps:
    del of_steps[-1]  # Its last number may lack digits.
  rows: dict[float, dict[str, float]] = {}
  for values in of_steps:
    row = _row(names, values)
    if row is not None:
      rows.setdefault(row[_STEP], row)
  return [rows[step] for step in sorted(rows)]


def _row(
  names: Sequence[str], values: Sequence[str]
) -> dict[str, float] | None:
  """The values of a line by name; None if the line is not whole."""
  if len(values) != len(names) or _STEP not in names:
    return None
  try:
    row = {
      name: float(value) if value else math.nan
      for name, value in zip(names, values, strict=True)
    }
  except ValueError:
    return None
  return row if math.isfinite(row[_STEP]) else None


def _line(values: Sequence[str]) -> str:
  text = io.StringIO()
  csv.writer(text, lineterminator='\n').writerow(values)
  return text.getvalue()


def _text(path: str) -> str:
  # A disk that lost its power may leave bytes that are not text.
  return files.read_bytes(path).decode('utf-8', 'replace').replace('\0', '?')
