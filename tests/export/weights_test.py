"""Tests of exported weights."""

import json

import numpy as np
import program
import pytest
import tensorflow as tf
import tiny

from configs import loading
from data import registry
from export import weights
from models import checkpoints, pix2seq_d
from panoptic import files
from tasks import class_file, images

_SCORES = (
  '{"step": 4, "metrics": {"PQ": 1.0}}\n'
  '{"step": 7, "split": "test", "metrics": {"PQ": 61.25, "images": 6}}\n'
)


@pytest.fixture(autouse=True)
def one_network(monkeypatch):
  """Programs do not build their networks, and so give them other weights."""
  monkeypatch.setattr(
    images.ImageTask, 'build_model', lambda self: tiny.build(seed=9)
  )


def _write_run(folder, part='ema', **tensors):
  """A run's folder at step 7; returns its weights."""
  model = tiny.build(seed=2)
  step = tf.Variable(7, dtype=tf.int64)
  checkpoint = tf.train.Checkpoint(step=step, **{part: model}, **tensors)
  tf.train.CheckpointManager(checkpoint, folder, 1).save(7)
  config = tiny.experiment()
  loading.save(config, folder)
  class_file.save(registry.class_table(config.data), folder)
  files.write_text(f'{folder}/metrics.jsonl', _SCORES)
  return _values(model)


def _values(model):
  named = checkpoints.named_weights(model)
  return {name: weight.numpy() for name, weight in named.items()}


def _assert_rounded(model, expected):
  for name, value in _values(model).items():
    np.testing.assert_array_equal(value, expected[name].astype(np.float16))


def _sample(model, *_, seeds, **__):
  """A prediction that costs nothing."""
  return tf.zeros([seeds.shape[0], 16, 16, 8])


@pytest.mark.slow
def test_weights_of_a_run_serve_as_its_checkpoint(
  tmp_path, capsys, monkeypatch
):
  run, out = str(tmp_path / 'run'), tmp_path / 'small'
  expected = _write_run(run)
  arguments = ['--mode=export_weights', f'--model_dir={run}']
  program.run(*arguments, f'--output={out}/')
  assert sorted(path.name for path in out.iterdir()) == [
    *('README.md', 'checkpoint', 'ckpt-7.data-00000-of-00001'),
    *('ckpt-7.index', 'classes.json', 'experiment.yaml', 'metrics.jsonl'),
  ]
  told = capsys.readouterr().out
  assert f'{len(expected)} weights of step 7, ' in told and 'MB' in told
  card = (out / 'README.md').read_text()
  assert '| updates | 7 |' in card and 'averages (EMA)' in card
  assert '| test | ddim, 2 steps, td 0 | PQ 61.2, images 6 |' in card
  assert '--mode=predict --checkpoint=small --input' in card
  (line,) = (out / 'metrics.jsonl').read_text().splitlines()
  assert json.loads(line)['metrics']['PQ'] == 61.25
  stored = class_file.load(str(out))
  assert stored and stored.categories == class_file.load(run).categories

  model = tiny.build(seed=3)
  report = checkpoints.load(model, str(out))
  assert len(report.loaded) == len(expected)
  assert not report.online and not report.unused
  _assert_rounded(model, expected)

  with pytest.raises(SystemExit, match='small is not empty: choose another'):
    program.run(*arguments, f'--output={out}')
  # No training goes on from it, and nothing is left there by the attempt.
  before = sorted(path.name for path in out.iterdir())
  train = f'--config_file={out}/experiment.yaml'
  with pytest.raises(SystemExit, match='ckpt-7 holds weights alone, so no tra'):
    program.run('--mode=train', f'--model_dir={out}', train)
  assert sorted(path.name for path in out.iterdir()) == before
  # Evaluation reads it.
  monkeypatch.setattr(pix2seq_d.Pix2SeqD, 'sample', _sample)
  scores = tmp_path / 'scores'
  flags = [f'--checkpoint={out}', f'--model_dir={scores}']
  override = '--params_override=evaluation.num_visualized=0'
  program.run('--mode=eval', *flags, override)
  line = json.loads((scores / 'eval.jsonl').read_text())
  assert line['step'] == 7 and line['metrics']['images'] == 6
  _assert_rounded(model, expected)  # It is the same object.


@pytest.mark.slow
def test_weights_without_an_average_stay_as_trained(tmp_path):
  run, out = str(tmp_path / 'run'), str(tmp_path / 'out')
  _write_run(run, part='model')
  config = tiny.experiment()
  weights.run(config, f'{run}/ckpt-7', out)
  card = files.read_text(f'{out}/README.md')
  assert 'as trained' in card and 'EMA' not in card
  for which in ('ema', 'online'):
    report = checkpoints.load(tiny.build(), out, which)
    assert not report.missing and not report.unused


@pytest.mark.slow
def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path):
  model = tiny.build()
  part = tf.train.Checkpoint(decoder=model.decoder)
  prefix = tf.train.Checkpoint(ema=part).write(str(tmp_path / 'run/ckpt'))
  with pytest.raises(ValueError, match='lacks weights .*encoder') as error:
    weights.run(tiny.experiment(), prefix, str(tmp_path / 'out'))
  assert '\n' not in str(error.value)
  model.decoder.conv_in.bias.assign(np.full([8], np.nan))
  prefix = tf.train.Checkpoint(ema=model).write(str(tmp_path / 'nan/ckpt'))
  with pytest.raises(ValueError, match='decoder/conv_in/bias is not finite'):
    weights.run(tiny.experiment(), prefix, str(tmp_path / 'out'))
  assert sorted(path.name for path in tmp_path.iterdir()) == ['nan', 'run']
