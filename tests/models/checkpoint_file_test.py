"""Tests of checkpoints that hold weights alone."""

import numpy as np
import pytest
import tensorflow as tf

from models import checkpoint_file

_KEY = 'ema/decoder/conv_in/kernel'


def _save(folder, value, key=_KEY):
  prefix = str(folder / 'ckpt-5')
  return prefix, checkpoint_file.save_weights(prefix, {key: value}, 5)


def test_weights_are_half_as_large(tmp_path):
  value = np.random.default_rng(0).normal(size=[30, 40]).astype(np.float32)
  prefix, saved = _save(tmp_path, value)
  reader = checkpoint_file.Reader(prefix)
  assert reader.holds_weights_alone and reader.step() == 5
  assert reader.shapes[_KEY] == [30, 40]
  found = reader.read(_KEY)
  assert found.dtype == np.float32
  np.testing.assert_array_equal(found, value.astype(np.float16))
  assert saved == (2 * value.size, [])
  size = sum(path.stat().st_size for path in tmp_path.iterdir())
  assert 2 * value.size < size < 2 * value.size + 1000


@pytest.mark.parametrize(
  ('values', 'is_half'),
  [
    ([0.0, 0.0], True),
    ([65504.0, -1.0], True),
    ([65505.0, 0.0], False),
    ([0.0, -1e9], False),
    ([1.0, 1e-10], True),
    ([2.0**-14, 1e-10], True),
    ([6e-5, 1e-10], False),
    ([], True),
  ],
)
def test_what_half_precision_cannot_hold_stays_whole(tmp_path, values, is_half):
  value = np.array(values, np.float32)
  prefix, saved = _save(tmp_path, value)
  assert saved.whole == ([] if is_half else [_KEY])
  found = checkpoint_file.Reader(prefix).read(_KEY)
  largest = np.abs(value).max(initial=0)
  np.testing.assert_allclose(
    found, value, rtol=0, atol=2**-11 * largest if is_half else 0
  )


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(tmp_path, value):
  with pytest.raises(ValueError, match=f'{_KEY} is not finite: take') as error:
    _save(tmp_path, np.array([value], np.float32))
  assert '\n' not in str(error.value)
  assert not list(tmp_path.iterdir())


def test_another_version_is_refused(tmp_path, monkeypatch):
  monkeypatch.setattr(checkpoint_file, '_VERSION', 7)
  prefix, _ = _save(tmp_path, np.zeros(1, np.float32))
  monkeypatch.undo()
  with pytest.raises(
    ValueError, match='ckpt-5 holds weights in format 7, but .* knows format 1'
  ) as error:
    checkpoint_file.Reader(prefix)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize('suffix', ['.index', '.data-00000-of-00001'])
@pytest.mark.parametrize('damage', ['cut', 'gone'])
def test_damaged_files(tmp_path, suffix, damage):
  prefix, _ = _save(tmp_path, np.ones([50, 50], np.float32))
  path = tmp_path / f'ckpt-5{suffix}'
  if damage == 'gone':
    path.unlink()
  else:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
  with pytest.raises(ValueError, match='copy it again') as error:
    checkpoint_file.Reader(prefix).read(_KEY)
  assert prefix in str(error.value) and '\n' not in str(error.value)


def test_a_checkpoint_of_a_run_is_none(tmp_path):
  checkpoint = tf.train.Checkpoint(step=tf.Variable(3))
  reader = checkpoint_file.Reader(checkpoint.write(str(tmp_path / 'ckpt')))
  assert not reader.holds_weights_alone
  assert reader.step() == 3
