import pytest
import trees
from absl import flags
from absl.testing import flagsaver

from benchmarks import data_benchmark


@pytest.mark.parametrize('what', data_benchmark._WHAT)
def test_measures_every_pipeline(tmp_path, what):
  trees.coco(tmp_path, 'train2017', count=3)
  with flagsaver.flagsaver():
    flags.FLAGS(['x', f'--dir={tmp_path}', '--size=16,16', '--batch_size=2'])
    found = data_benchmark.measure(what, 0.05)
  assert found['rate'] > 0
  assert found['memory'] > found['own'] >= 0
