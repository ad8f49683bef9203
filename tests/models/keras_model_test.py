"""Tests of what Keras' own methods do, and of direct calls."""

import copy

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
import tiny

from configs import base
from models import checkpoints, pix2seq_d, prng

_IMAGE = np.zeros([1, 32, 32, 3], np.uint8)


@pytest.fixture(scope='module')
def model():
  return tiny.build()


@pytest.mark.parametrize(
  ('call', 'sentence'),
  [
    (lambda m, _: m(_IMAGE), r'no model\(image\): call model.infer\(image'),
    (lambda m, _: m.call(_IMAGE), 'tasks.predictor.load'),
    (lambda m, _: m.predict(_IMAGE), 'no model.predict: call model.infer'),
    (lambda m, _: m.predict_on_batch(_IMAGE), 'tasks.predictor.load'),
    (lambda m, _: m.compile('adam', loss='mse'), '--mode=train, or take the g'),
    (lambda m, _: m.fit(_IMAGE, _IMAGE, epochs=1), 'no model.fit: train with'),
    (lambda m, _: m.train_on_batch(_IMAGE), '--mode=train'),
    (lambda m, _: m.evaluate(_IMAGE), 'score a run with main.py --mode=eval'),
    (lambda m, _: m.test_on_batch(_IMAGE), '--mode=eval'),
    (lambda m, path: m.save(path), '--mode=export .*--mode=export_weights'),
    (lambda m, path: m.save(f'{path}.keras'), '--mode=export '),
    (lambda m, path: m.export(path), '--mode=export .*--mode=export_weights'),
    (tf.saved_model.save, 'no function to serve by itself: .*--mode=export'),
    (tf_keras.models.save_model, '--mode=export '),
    (
      lambda m, path: tf_keras.models.save_model(m, f'{path}.keras'),
      'its configuration is model.config',
    ),
    (lambda m, _: m.get_config(), 'its configuration is model.config'),
    (lambda m, _: m.to_json(), 'its configuration is model.config'),
  ],
)
def test_what_is_done_otherwise_is_one_sentence(
  model, tmp_path, call, sentence
):
  with pytest.raises(NotImplementedError, match=sentence) as error:
    call(model, str(tmp_path / 'saved'))
  assert str(error.value).startswith('Pix2SeqD has no ')
  assert '\n' not in str(error.value)


def test_a_summary_names_the_parts(model, capsys):
  model.summary()
  text = capsys.readouterr().out
  assert 'encoder' in text and 'decoder' in text and 'Total params' in text
  assert model.count_params() == sum(
    weight.shape.num_elements() for weight in model.weights
  )


def test_weights_are_saved_and_loaded(model, tmp_path):
  path = model.save_weights(tmp_path / 'ckpt')
  saved = [weight.numpy() for weight in model.weights]
  assert checkpoints.find(path) == path
  tiny.randomize(model, seed=4)
  report = model.load_weights(path)
  assert not report.missing and not report.unused
  for weight, expected in zip(model.weights, saved, strict=True):
    np.testing.assert_array_equal(weight, expected)
  with pytest.raises(FileNotFoundError, match='There is no checkpoint at'):
    model.load_weights(tmp_path / 'nowhere')
  with pytest.raises(ValueError, match='a.h5 ends like a file of another form'):
    model.save_weights(tmp_path / 'a.h5')


def test_a_model_without_weights_says_so(tmp_path):
  model = pix2seq_d.Pix2SeqD(tiny.config())
  for call in (
    model.summary,
    lambda: model.save_weights(tmp_path / 'ckpt'),
    lambda: model.infer(_IMAGE, base.Sampler()),
  ):
    with pytest.raises(ValueError, match='no weights yet: call model.build_we'):
      call()


@pytest.mark.slow
def test_a_seed_alone_decides_what_is_inferred(recwarn):
  model = tiny.build()
  images, _ = tiny.batch(model.config)
  sampler = base.Sampler(name='ddpm_small', steps=3, td=1.0)
  found = model.infer(images, sampler, seed=5)
  assert found.dtype == tf.int32 and found.shape == [2, 16, 16, 2]
  assert not recwarn.list
  again = model.infer(images.numpy(), copy.deepcopy(sampler), seed=5)
  np.testing.assert_array_equal(again, found)
  assert np.any(model.infer(images, sampler, seed=6) != found)
  # As the tasks have it, whose rows have numbers.
  seeds = prng.row_seeds(tf.constant(5, tf.int64), tf.range(2, dtype=tf.int64))
  with pytest.warns(UserWarning, match='call model.infer') as warned:
    x_0 = model.sample(model.encode(images), None, sampler, seeds=seeds)
  assert warned[0].filename == __file__
  assert np.mean(model.decode(x_0) == found) > 0.99
  # Traced once for a sampler, whatever the seed; a changed one is another.
  program = model._infer
  assert program.experimental_get_tracing_count() == 1
  sampler.steps = 1
  assert np.any(model.infer(images, sampler, seed=5) != found)
  assert program.experimental_get_tracing_count() == 2
