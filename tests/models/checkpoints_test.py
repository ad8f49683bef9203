import pathlib

import golden
import numpy as np
import pytest
import tensorflow as tf
import tiny

from configs import base
from models import checkpoint_file, checkpoints
from training import optimizer as optimizer_lib
from training import state as state_lib


def _state(model, average):
  return state_lib.TrainState(
    step=tf.Variable(7, dtype=tf.int64),
    model=model,
    average=average,
    optimizer=optimizer_lib.AdamW(base.Optimizer(), model.trainable_variables),
  )


def _write(checkpoint, folder):
  return checkpoint.write(str(folder / 'ckpt'))


def _values(model):
  named = checkpoints.named_weights(model)
  return {name: weight.numpy() for name, weight in named.items()}


def _assert_equal(first, second):
  assert first.keys() == second.keys()
  for name, value in first.items():
    np.testing.assert_array_equal(value, second[name], name)


@pytest.mark.slow
def test_every_weight_has_one_name():
  model = tiny.build()
  named = checkpoints.named_weights(model)
  assert len(named) == len(model.weights)
  assert {w.ref() for w in named.values()} == {w.ref() for w in model.weights}
  assert 'decoder/conv_in/kernel' in named


def test_names_are_the_paths_of_tensorflow(tmp_path):
  model = tiny.build()
  prefix = _write(tf.train.Checkpoint(model=model), tmp_path)
  reader = tf.train.load_checkpoint(prefix)
  stored = {
    key.removesuffix('/.ATTRIBUTES/VARIABLE_VALUE').removeprefix('model/')
    for key in reader.get_variable_to_shape_map()
    if key.startswith('model/')
  }
  assert stored == set(checkpoints.named_weights(model))


@pytest.mark.slow
@pytest.mark.parametrize('weights', ['ema', 'online'])
def test_our_own_format_comes_back(tmp_path, weights):
  model, average = tiny.build(seed=1), tiny.build(seed=2, copy=1)
  prefix = _write(_state(model, average).checkpoint(), tmp_path)
  expected = _values(average if weights == 'ema' else model)
  target = tiny.build(seed=3, copy=2)
  report = checkpoints.load(target, prefix, weights)
  _assert_equal(_values(target), expected)
  assert report.loaded == list(expected)
  assert not report.missing and not report.mismatched and not report.extended
  assert not report.unused
  assert str(report).endswith(f'{len(expected)} weights loaded')


def test_online_weights_serve_where_there_are_no_averages(tmp_path):
  model = tiny.build(seed=2)
  prefix = _write(tf.train.Checkpoint(model=model), tmp_path)
  target = tiny.build(seed=3, copy=1)
  report = checkpoints.load(target, prefix, 'ema')
  _assert_equal(_values(target), _values(model))
  assert not report.missing


def test_newest_of_a_folder_and_index_file(tmp_path):
  model = tiny.build()
  manager = tf.train.CheckpointManager(
    tf.train.Checkpoint(model=model), str(tmp_path), max_to_keep=3
  )
  for seed in (2, 3):
    tiny.randomize(model, seed)
    manager.save(seed)
  newest = _values(model)
  target = tiny.build(copy=1)
  for path in (tmp_path, tmp_path / 'ckpt-3', tmp_path / 'ckpt-3.index'):
    tiny.randomize(target, 4)
    report = checkpoints.load(target, str(path))
    assert report.source == str(tmp_path / 'ckpt-3')
    _assert_equal(_values(target), newest)


@pytest.mark.slow
def test_report_says_what_did_not_fit(tmp_path):
  source = tiny.build(
    encoder__feature_dim=12, decoder__transformer_layers=2, past_masks=1
  )
  prefix = _write(tf.train.Checkpoint(model=source), tmp_path)
  target = tiny.build(decoder__transformer_layers=1, encoder__num_layers=2)
  before = _values(target)
  report = checkpoints.load(target, prefix)
  after = _values(target)
  assert all(
    name.startswith('encoder/transformer/1/') for name in report.missing
  )
  assert report.missing
  assert all(
    key.startswith('model/decoder/middle/transformer/1/')
    for key in report.unused
  )
  assert report.unused
  mismatched = [line.split(' ')[0] for line in report.mismatched]
  assert 'encoder_merge/last/conv1/kernel' in mismatched
  # More input channels in the file are no less of a mismatch.
  assert 'decoder/conv_in/kernel' in mismatched
  assert not report.extended
  sizes = [line for line in report.mismatched if '/last/conv1/bias' in line]
  assert sizes == ['encoder_merge/last/conv1/bias (file [12], model [8])']
  for name in report.missing + mismatched:
    np.testing.assert_array_equal(before[name], after[name])
  expected = _values(source)
  for name in report.loaded:
    np.testing.assert_array_equal(after[name], expected[name])
  parts = [report.loaded, report.missing, mismatched]
  assert sorted(sum(parts, [])) == sorted(after)
  text = str(report)
  assert f'{len(report.missing)} not in the file' in text
  assert 'of another shape, not loaded' in text
  assert 'in the file, not used: model/decoder' in text


def test_report_of_a_detection_checkpoint_names_its_decoder():
  model = golden.build('pix2seq_ar_c4')
  folder = pathlib.Path(golden.checkpoint('pix2seq_ar_c4')).parent
  report = checkpoints.load(model, str(folder))
  assert report.unused
  assert not any('/encoder/' in key for key in report.unused)
  assert 'not in the file, left as they were' in str(report)


def test_decoder_of_one_checkpoint_and_encoder_of_another(tmp_path):
  decoder_only = tiny.build(seed=2, unconditional=True)
  (tmp_path / 'decoder').mkdir()
  (tmp_path / 'encoder').mkdir()
  first = _write(tf.train.Checkpoint(model=decoder_only), tmp_path / 'decoder')
  whole = tiny.build(seed=3)
  encoder_only = tf.train.Checkpoint(encoder=whole.encoder)
  second = _write(tf.train.Checkpoint(model=encoder_only), tmp_path / 'encoder')
  target = tiny.build(seed=4, copy=1)
  reports = checkpoints.load_all(target, [first, second])
  text, listing = str(reports), reports.listing()
  values, of_decoder = _values(target), _values(decoder_only)
  of_encoder = _values(whole)
  for name, value in values.items():
    if name.startswith('decoder/'):
      np.testing.assert_array_equal(value, of_decoder[name])
    elif name.startswith('encoder/'):
      np.testing.assert_array_equal(value, of_encoder[name])
  assert f'{first}: {len(of_decoder)} weights loaded' in text
  never = text.splitlines()[-1]
  assert never.startswith('never trained, random: encoder_merge/')
  assert 'decoder' not in never and 'encoder/' not in never
  of_first, of_second = listing.split(second)
  assert all(f'  {name}\n' in of_first for name in values)
  assert all(f'  {name}\n' in of_second for name in values)
  never = listing.split('never trained, random:\n')[1].split()
  assert never == [n for n in values if n.startswith('encoder_merge/')]


@pytest.mark.parametrize('weights', ['ema', 'online'])
def test_what_is_not_used_is_named_once(tmp_path, weights):
  model, average = tiny.build(seed=1), tiny.build(seed=2, copy=1)
  prefix = _write(_state(model, average).checkpoint(), tmp_path)
  report = checkpoints.load(tiny.build(unconditional=True), prefix, weights)
  assert report.unused == sorted(
    f'model/{name}'
    for name in checkpoints.named_weights(model)
    if name.startswith(('encoder/', 'encoder_merge/'))
  )


def test_what_has_no_average_is_named(tmp_path):
  model, average = tiny.build(seed=1), tiny.build(seed=2, copy=1)
  part = tf.train.Checkpoint(encoder=average.encoder)
  prefix = _write(tf.train.Checkpoint(model=model, ema=part), tmp_path)
  target = tiny.build(seed=3, copy=2)
  report = checkpoints.load(target, prefix)
  of_model, of_average, values = map(_values, (model, average, target))
  for name, value in values.items():
    source = of_average if name.startswith('encoder/') else of_model
    np.testing.assert_array_equal(value, source[name])
  assert report.online == [n for n in values if not n.startswith('encoder/')]
  assert 'without an average in the file, read as trained: ' in str(report)
  assert not checkpoints.load(target, prefix, 'online').online


def test_later_checkpoints_win(tmp_path):
  model = tiny.build()
  prefixes = []
  for seed in (2, 3):
    tiny.randomize(model, seed)
    checkpoint = tf.train.Checkpoint(model=model)
    prefixes.append(checkpoint.write(str(tmp_path / f'ckpt-{seed}')))
  expected = _values(model)
  tiny.randomize(model, 4)
  text = str(checkpoints.load_all(model, prefixes))
  _assert_equal(_values(model), expected)
  assert 'never' not in text


def _one_sentence(error):
  assert '\n' not in str(error.value)


def test_nothing_there(tmp_path):
  model = tiny.build()
  with pytest.raises(
    FileNotFoundError, match='expected the file .*3.index'
  ) as e:
    checkpoints.load(model, str(tmp_path / 'ckpt-3'))
  _one_sentence(e)
  with pytest.raises(FileNotFoundError, match='no checkpoint in the fold') as e:
    checkpoints.load(model, str(tmp_path))
  _one_sentence(e)


def test_nothing_that_fits(tmp_path):
  variable = tf.Variable([1.0])
  prefix = _write(tf.train.Checkpoint(model=variable), tmp_path)
  model = tiny.build()
  before = _values(model)
  with pytest.raises(ValueError, match='holds no weight that fits') as error:
    checkpoints.load(model, prefix)
  _one_sentence(error)
  _assert_equal(_values(model), before)


def _cut(content):
  return content[: len(content) // 2]


def _flip(content):
  middle = len(content) // 2
  return (
    content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
  )


@pytest.mark.parametrize('damage', [_cut, _flip, lambda _: b''])
@pytest.mark.parametrize('suffix', ['.index', '.data-00000-of-00001'])
def test_damaged_files(tmp_path, suffix, damage):
  model = tiny.build()
  prefix = _write(tf.train.Checkpoint(model=model), tmp_path)
  file = pathlib.Path(prefix + suffix)
  file.write_bytes(damage(file.read_bytes()))
  with pytest.raises(ValueError, match='copy it again') as error:
    checkpoints.load(model, prefix)
  assert prefix in str(error.value)
  _one_sentence(error)


def test_data_file_missing(tmp_path):
  model = tiny.build()
  prefix = _write(tf.train.Checkpoint(model=model), tmp_path)
  pathlib.Path(prefix + '.data-00000-of-00001').unlink()
  with pytest.raises(ValueError, match='copy it again') as error:
    checkpoints.load(model, prefix)
  _one_sentence(error)


def test_published_averages(tmp_path):
  def part(value):
    bias = tf.Variable(tf.fill([8], value))
    return tf.train.Checkpoint(conv_in=tf.train.Checkpoint(bias=bias))

  published = tf.train.Checkpoint(denoiser=part(1.0), denoiser_ema=part(2.0))
  prefix = _write(tf.train.Checkpoint(model=published), tmp_path)
  model = tiny.build()
  for weights, value in (('ema', 2.0), ('online', 1.0)):
    report = checkpoints.load(model, prefix, weights)
    assert report.loaded == ['decoder/conv_in/bias']
    assert not report.unused
    np.testing.assert_array_equal(model.decoder.conv_in.bias, [value] * 8)


def test_averages_alone_do_not_pass_for_weights_as_trained(tmp_path):
  model = tiny.build()
  before = _values(model)
  name = 'decoder/conv_in/bias'
  value = np.full(before[name].shape, 0.5, np.float32)
  prefix = str(tmp_path / 'ckpt-5')
  checkpoint_file.save_weights(prefix, {f'ema/{name}': value}, 5)
  with pytest.raises(ValueError, match="averaged .* alone.* to 'ema'") as error:
    checkpoints.load(model, prefix, 'online')
  _one_sentence(error)
  _assert_equal(_values(model), before)
  report = checkpoints.load(model, prefix)
  assert report.loaded == [name] and not report.online
  np.testing.assert_array_equal(_values(model)[name], value)
  # Those as trained serve both.
  checkpoint_file.save_weights(prefix, {f'model/{name}': 2 * value}, 5)
  for weights in ('ema', 'online'):
    assert checkpoints.load(model, prefix, weights).loaded == [name]
  np.testing.assert_array_equal(_values(model)[name], 2 * value)
