"""Tests of claims with runs that only pretend."""

import json
import os
import re

import numpy as np
import pytest
from PIL import Image

from benchmarks import claims
from benchmarks.controlled import jobs
from training.run_folder import json_lines


class _Runner:
  """Scores by what a run was trained and evaluated with.

  Attributes:
    calls: The modes of main.py and the fields, in order.
    fails: Fields whose training ends with an error.
    step: Of the weights that are scored; None: the last.
  """

  def __init__(self, fails='nothing', step=None):
    self.calls = []
    self.fails, self.step = fails, step

  def __call__(self, arguments):
    flags = dict(argument[2:].split('=', 1) for argument in arguments)
    mode, fields = flags['mode'], flags['params_override']
    self.calls.append((mode, fields))
    folder = flags['model_dir']
    if mode == 'train':
      assert flags['experiment'] == 'shapes'
      if self.fails in fields:
        raise jobs.Failed('the loss is not finite')
      os.makedirs(folder)
      with open(os.path.join(folder, 'fields'), 'w') as file:
        file.write(fields)
      return
    with open(os.path.join(folder, 'fields')) as file:
      trained = file.read()
    steps, seed = (
      int(re.search(rf'training.{name}=(\d+)', trained)[1])
      for name in ('steps', 'seed')
    )
    pq = 40.0 + seed - 20 * ('weight_p=0' in trained)
    if found := re.search(r'sampler.steps=(\d+)', fields):
      pq = 60.0 - 50 / int(found[1]) + 0.1 * seed
    pq += 5 * ('init_checkpoint' in trained)
    line = {
      'step': steps if self.step is None else self.step,
      'metrics': {'PQ': pq},
    }
    json_lines.append(os.path.join(folder, 'eval.jsonl'), line)

  def count(self, mode):
    return sum(call[0] == mode for call in self.calls)


def _run(folder, runner, names=('weight_p', 'steps'), seeds=3, **setup):
  path = folder / 'pages' / 'claims.md'
  setup = jobs.Setup(**{'steps': 50, **setup})
  claims.run(names, setup, seeds, str(folder), str(path), runner)
  return path.read_text()


def _row(text, name):
  (line,) = (x for x in text.splitlines() if x.startswith(f'| `{name}`'))
  return [cell.strip() for cell in line.split('|')[1:-1]]


def test_claims_are_run_and_decided(tmp_path):
  runner = _Runner()
  text = _run(tmp_path, runner)
  assert (runner.count('train'), runner.count('eval')) == (2 * 3, (2 + 6) * 3)
  row = _row(text, 'weight_p')
  assert row[2:] == ['p = 0.2: 41.0 ± 1.0; p = 0: 21.0 ± 1.0', 'same']
  assert 'steps = 20: 57.6 ± 0.1' in _row(text, 'steps')[2]
  assert _row(text, 'steps')[3] == 'same'
  assert '![PQ by steps of the sampler](claims-steps.png)' in text
  plot = np.asarray(Image.open(tmp_path / 'pages' / 'claims-steps.png'))
  assert plot.shape == (400, 640, 3)
  assert 'the paper' in text and 'two standard errors' in text
  fields = runner.calls[0][1].split(',')
  assert 'training.steps=50' in fields and 'optimizer.warmup_steps=5' in fields

  # Nothing is run twice, and another seed adds its runs.
  again = _Runner()
  assert _run(tmp_path, again) == text
  assert not again.calls
  _run(tmp_path, again, seeds=4)
  assert (again.count('train'), again.count('eval')) == (2, 8)
  # Other steps and fields are other runs.
  for setup in ({'steps': 60}, {'override': 'evaluation.segments_by=id'}):
    other = _Runner()
    _run(tmp_path, other, ['weight_p'], 1, **setup)
    assert other.count('train') == 2


def test_what_was_cut_short_goes_on(tmp_path):
  class Killed(BaseException):
    pass

  def kill_at_sixth(arguments):
    runner(arguments)
    if len(runner.calls) == 6:
      raise Killed

  runner = _Runner()
  with pytest.raises(Killed):
    _run(tmp_path, kill_at_sixth, ['steps'], 1)
  done = len(json_lines.read(str(tmp_path / 'results.jsonl')))
  assert done == 4
  again = _Runner()
  os.rename(tmp_path / 'runs', tmp_path / 'gone')  # The runner makes it anew.
  _run(tmp_path, again, ['steps'], 1)
  assert (again.count('train'), again.count('eval')) == (1, 6 - done)


def test_a_decoder_is_trained_before(tmp_path):
  runner = _Runner()
  text = _run(tmp_path, runner, ['pretraining'], 2)
  # As many steps as the others, and once for each seed.
  trained = [fields for mode, fields in runner.calls if mode == 'train']
  assert len(trained) == 6
  assert all('training.steps=50' in fields for fields in trained)
  (first, *_) = (f for f in trained if 'unconditional=true' in f)
  (second, *_) = (f for f in trained if 'init_checkpoint' in f)
  assert 'unconditional=true' not in second and 'init_checkpoint' not in first
  folder = re.search(r'init_checkpoint=\[(.*)\]', second)[1]
  assert os.path.exists(os.path.join(folder, 'fields'))
  assert _row(text, 'pretraining')[3] == 'same'
  assert 'which are not counted' in text


def test_a_run_that_fails_does_not_stop_the_others(tmp_path):
  with pytest.raises(ValueError, match='2 of 4 scores could not be made'):
    _run(tmp_path, _Runner(fails='weight_p=0'), ['weight_p'], 2)
  text = (tmp_path / 'pages' / 'claims.md').read_text()
  assert _row(text, 'weight_p')[2:] == [
    'p = 0.2: 40.5 ± 0.7; p = 0: not run',
    'open',
  ]
  assert '* seed 1, `loss.weight_p=0`: the loss is not finite' in text
  again = _Runner()
  assert '## Failed' not in _run(tmp_path, again, ['weight_p'], 2)
  assert (again.count('train'), again.count('eval')) == (2, 2)


def test_weights_before_the_last_step_are_not_scored(tmp_path):
  """As a run's that was ended by SIGTERM, which is no error."""
  with pytest.raises(ValueError, match='4 of 4 scores could not be made'):
    _run(tmp_path, _Runner(step=20), ['weight_p'], 2)
  text = (tmp_path / 'pages' / 'claims.md').read_text()
  assert 'was not trained up to step 50' in text


def test_all_claims_can_be_run(tmp_path):
  runner = _Runner()
  text = _run(tmp_path, runner, ['all'], 1)
  assert runner.count('train') == 11
  assert _row(text, 'instance_ids')[2].startswith('not available')
  assert _row(text, 'loss')[3] == 'open'  # One seed.


@pytest.mark.parametrize(
  ('arguments', 'said'),
  [
    ({'names': ['speed']}, "unknown claim 'speed': choose one of loss, "),
    ({'override': 'loss.weight_q=1'}, 'Unknown field'),
    ({'override': 'evaluation.batch_size=0'}, 'evaluation.batch_size is 0'),
    ({'override': 'model.bits=2'}, 'model.bits is 2; it must be enough'),
  ],
)
def test_nothing_is_run_where_something_is_wrong(tmp_path, arguments, said):
  runner = _Runner()
  with pytest.raises(ValueError, match=said):
    _run(tmp_path, runner, **arguments)
  assert not runner.calls and not os.listdir(tmp_path)


def test_places_that_cannot_be_written_are_refused(tmp_path):
  file = tmp_path / 'file'
  file.write_text('')
  for folder, page, said in (
    (file, 'x.md', 'is a file: name a folder'),
    (tmp_path, 'x.txt', 'end it with .md'),
  ):
    with pytest.raises(ValueError, match=said):
      claims.run([], jobs.Setup(1), 1, str(folder), page, _Runner())


def test_results_of_something_else_are_refused(tmp_path):
  (tmp_path / 'results.jsonl').write_text(json.dumps({'name': 'x'}) + '\n')
  with pytest.raises(ValueError, match='is of something else; choose another'):
    _run(tmp_path, _Runner())
