"""Tests of scores by class."""

import numpy as np
import pytest

from metrics import panoptic_quality, per_class, registry
from panoptic import classes as classes_lib
from panoptic import maps

_TABLE = classes_lib.ClassTable(
  [
    classes_lib.Category(7, 'road', False),
    classes_lib.Category(20, 'traffic light', True),
    classes_lib.Category(33, 'train', True),
  ]
)
_TRUTH = maps.PanopticMap(
  np.array([[1, 1, 2, 3]]),
  [maps.Segment(1, 7), maps.Segment(2, 20), maps.Segment(3, 20)],
)
_FOUND = maps.PanopticMap(
  np.array([[1, 1, 2, 0]]), [maps.Segment(1, 7), maps.Segment(2, 20)]
)


def test_of_images():
  quality = panoptic_quality.PanopticQuality(_TABLE.categories)
  quality.update(_TRUTH, _FOUND)
  road, light, train = per_class.rows(quality.details(), _TABLE.categories)
  assert road == {
    **{'id': 7, 'name': 'road', 'isthing': False, 'counted': True},
    **{'PQ': 100.0, 'SQ': 100.0, 'RQ': 100.0, 'segments': 1},
  }
  assert light['PQ'] == pytest.approx(200 / 3) and light['segments'] == 2
  assert not train['counted']
  assert per_class.format_table([road, light, train], 'x.json').split('\n') == [
    'class               PQ     SQ     RQ  segments',
    'traffic light     66.7  100.0   66.7         2',
    'road             100.0  100.0  100.0         1',
    'The table is in x.json',
  ]


def test_of_videos_they_are_means_over_windows():
  metric = registry.METRICS['stq'].make(_TABLE)
  for _ in range(3):
    metric.update(_TRUTH, _FOUND, 'a')
  details = metric.details()
  rows = per_class.rows(details, _TABLE.categories)
  mean = np.mean([row['PQ'] for row in rows if row['counted']])
  # The fourth length has no window.
  assert mean == pytest.approx(100 * details['VPQ']['VPQ']['All'])
  assert rows[1]['segments'] == 6


def test_without_classes_there_is_no_table():
  metric = registry.METRICS['j_and_f'].make(_TABLE)
  metric.update(_TRUTH, _FOUND, 'a')
  assert per_class.rows(metric.details(), _TABLE.categories) == []


def test_long_tables_are_cut():
  row = {'PQ': 1.0, 'SQ': 1.0, 'RQ': 1.0, 'counted': True}
  table = [{**row, 'name': f'c{i}', 'segments': i} for i in range(133)]
  lines = per_class.format_table(table, 'x.json').split('\n')
  assert len(lines) == 20
  assert lines[1].startswith('c132 ')
  assert lines[-1] == '115 more classes are in x.json'
