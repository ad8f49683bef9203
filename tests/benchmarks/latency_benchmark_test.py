import trees
from absl import flags
from absl.testing import flagsaver

from benchmarks import latency_benchmark


def test_it_runs(tmp_path, capsys):
  trees.coco(tmp_path, count=8)
  with flagsaver.flagsaver():
    flags.FLAGS(
      [
        'x',
        '--pipeline=coco_panoptic_small',
        f'--dir={tmp_path}',
        '--milliseconds=5',
        '--seconds=0.2',
      ]
    )
    latency_benchmark.main([])
  rows = capsys.readouterr().out.splitlines()
  assert rows[2].startswith('| training') and rows[3].startswith('| evaluation')
  assert all(float(row.split('|')[2]) > 0 for row in rows[2:])
