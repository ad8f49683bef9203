import pytest
import trees

from benchmarks import data_benchmark


@pytest.mark.parametrize('what', data_benchmark._WHAT)
def test_measures_every_pipeline(tmp_path, what):
  trees.coco(tmp_path, 'train2017', count=3)
  data = {'name': 'coco_panoptic', 'dir': str(tmp_path)}
  config = data_benchmark.experiment(data, (16, 16), 2)
  found = data_benchmark.measure(config, 'train2017', what, 0.05)
  assert found['rate'] > 0
  assert found['memory'] > found['own'] >= 0
