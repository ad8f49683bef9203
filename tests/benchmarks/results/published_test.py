"""Tests of the tables as they were published."""

from benchmarks.results import published
from configs import loading


def _rows():
  return [row for table in published.TABLES for row in table.rows]


def test_rows_fit_their_tables():
  for table in published.TABLES:
    for row in table.rows:
      assert len(row.cells) == len(table.columns)
      assert len(row.scores) == len(table.metrics)


def test_rows_of_ours_are_registered_experiments():
  keys = [row.key for row in _rows() if row.experiment]
  assert len(keys) == len(set(keys)) == 12
  for row in _rows():
    if row.experiment:
      assert loading.load(row.experiment, '', row.override)
  for name, starts in published.STARTS.items():
    assert {name, starts[-1]} <= set(loading.names())


def test_sizes_of_table_7_are_those_of_its_experiments():
  (table,) = (t for t in published.TABLES if t.title.startswith('Table 7'))
  for row in table.rows:
    model = loading.load(row.experiment).model
    sizes = (model.image_size, model.mask_size)
    assert row.cells == tuple('x'.join(map(str, size)) for size in sizes)


def test_commands_train_and_score_every_row_of_ours():
  for table in published.TABLES:
    lines = published.commands(table)
    assert max(map(len, lines)) <= 100
    commands = '\n'.join(lines).replace(' \\\n ', '').splitlines()
    rows = [row for row in table.rows if row.experiment]
    assert len(commands) == len(rows) + len({row.experiment for row in rows})
    for row in rows:
      run = f'--model_dir=runs/{row.experiment} --data_dir=DIR'
      start = f'runs/{published.STARTS[row.experiment][-1]}'
      assert (
        f'python main.py --experiment={row.experiment} --mode=train {run} '
        f'--init_checkpoint={start}'
      ) in commands
      change = f' --params_override={row.override}' if row.override else ''
      assert f'python main.py --mode=eval {run}{change}' in commands
