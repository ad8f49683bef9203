"""Tests of README's table of results."""

import copy

import pytest

from benchmarks.results import published, readme


def _content():
  return readme.read(readme.RESULTS)


def test_the_table_of_readme_is_that_of_the_results():
  text = readme.README.read_text()
  assert readme.with_table(text, _content()) == text


def test_every_published_row_is_in_readme():
  keys = [k for row in _content()['rows'] for k in row.get('published', ())]
  assert sorted(keys) == sorted(
    row.key for t in published.TABLES for row in t.rows if row.experiment
  )


def test_scores_of_runs_come_into_the_table():
  key = 'cityscapes_panoptic evaluation.sampler.steps=20'
  here = {'mean': 62.04, 'deviation': None, 'runs': ['runs/a']}
  found = {
    'rows': [
      {'key': key, 'metric': 'PQ', 'here': here},
      {'key': 'kitti_step', 'metric': 'SQ', 'here': None},
    ]
  }
  before = _content()
  unchanged = copy.deepcopy(before)
  results = readme.taken_over(before, found, 'tables.json')
  assert before == unchanged
  lines = list(readme.table(results))
  (line,) = (line for line in lines if 'cityscapes_panoptic' in line)
  assert line.endswith('| not run / 62.0 / not run / not run |')
  (line,) = (line for line in lines if '`kitti_step`' in line)
  assert line.endswith('| 61.6 / 61.9 / 61.3 | not run |')

  # Later scores take the place of these, and only of these.
  here = {'mean': 63.0, 'deviation': 0.26, 'runs': ['runs/a', 'runs/b']}
  found = {'rows': [{'key': key, 'metric': 'PQ', 'here': here}]}
  results = readme.taken_over(results, found, 'tables.json')
  assert '/ 63.0 ± 0.3 (2 runs) /' in '\n'.join(readme.table(results))
  results = readme.taken_over(results, {'rows': []}, 'tables.json')
  assert '/ 63.0 ± 0.3 (2 runs) /' in '\n'.join(readme.table(results))


@pytest.mark.parametrize('found', [{}, [], {'rows': [{'key': 'davis'}]}])
def test_another_json_is_refused(found):
  with pytest.raises(ValueError, match='no scores in x.json: give the file'):
    readme.taken_over(_content(), found, 'x.json')


def test_what_is_no_json_is_refused(tmp_path):
  path = tmp_path / 'x.json'
  path.write_text('{"rows": [')
  with pytest.raises(ValueError, match='x.json is not JSON .*: write it again'):
    readme.read(path)


def test_a_readme_without_a_place_is_refused():
  with pytest.raises(ValueError, match='has no place for the table: put'):
    readme.with_table('# Text', _content())
