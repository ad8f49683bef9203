import numpy as np
import pytest
import tensorflow as tf
import tiny

from configs import base
from models import checkpoints, input_checks, pix2seq_d

_IMAGE, _BITS = tf.zeros([1, 32, 32, 3]), tf.zeros([1, 16, 16, 8])
_MAPS = tf.zeros([1, 16, 16, 2], tf.int32)


class _Encoded:
  tokens = tf.zeros([1, 4, 16])


@pytest.mark.parametrize(
  ('check', 'arguments', 'sentence'),
  [
    (
      input_checks.check_image,
      [tf.zeros([1, 64, 48, 3])],
      r'image has the shape \(1, 64, 48, 3\), but must have \(B, 32, 32, 3\)',
    ),
    (
      input_checks.check_image,
      [tf.zeros([1, 64, 48, 3])],
      r'is \[32, 32\]: resize it, as tf.image.resize\(image, \[32, 32\]\) do',
    ),
    (
      input_checks.check_image,
      [_IMAGE[0]],
      r'image has the shape \(32, 32, 3\), .*: give a batch, as image\[None\]',
    ),
    (input_checks.check_image, [None], 'image is of the type NoneType: give a'),
    (input_checks.check_image, [[[1.0]]], 'image is of the type list: give a'),
    (
      input_checks.check_image,
      [_IMAGE + 200],
      'image has values from 0 to 200, but floats must be in .*divide bytes by',
    ),
    (
      input_checks.check_image,
      [_IMAGE.numpy() - 1],
      'image has values from -1 to 0, but floats must be in',
    ),
    (
      input_checks.check_image,
      [np.full([1, 32, 32, 3], 'a')],
      'image is str.*, but must be uint8',
    ),
    (
      input_checks.check_image,
      [tf.cast(_IMAGE, tf.int32)],
      'image is int32, but must be uint8, or float32 in .*: cast it to uint8',
    ),
    (
      input_checks.check_bits,
      ['noise', _BITS[:, :8], _Encoded],
      r'noise has the shape \(1, 8, 16, 8\), but must have \(B, 16, 16, 8\)',
    ),
    (
      input_checks.check_bits,
      ['x_t', tf.cast(_BITS, tf.int32), _Encoded],
      'x_t is int32, but must be float32',
    ),
    (
      input_checks.check_bits,
      ['noise', np.zeros([1, 16, 16, 8]), _Encoded],
      'noise is float64, but must be float32: cast it to tf.float32',
    ),
    (input_checks.check_bits, ['x_t', _BITS, None], 'encoded is None, but'),
    (
      input_checks.check_bits,
      ['noise', tf.zeros([2, 16, 16, 8]), _Encoded],
      'noise has 2 rows, but 1 images are encoded',
    ),
    (
      input_checks.check_label_map,
      [_MAPS[..., :1]],
      r'label_map has the shape \(1, 16, 16, 1\), but must have \(B, 16, 16, 2',
    ),
    (
      input_checks.check_label_map,
      [tf.cast(_MAPS, tf.float32)],
      'label_map is float32, but must be int32',
    ),
    (input_checks.check_past_masks, [_MAPS], 'takes none: model.past_masks'),
    (input_checks.check_estimate, [_BITS], 'takes none: model.self_condit'),
  ],
)
def test_what_does_not_fit_is_one_sentence(check, arguments, sentence):
  with pytest.raises(ValueError, match=sentence) as error:
    check(tiny.config(), *arguments)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  ('given', 'known', 'sentence'),
  [
    (_MAPS, None, 'given is there without known: give'),
    (None, _BITS[..., 0] > 0, 'known is there without given: give'),
    (_MAPS[:, :8], _BITS[..., 0] > 0, r'given has the shape \(1, 8, 16, 2\)'),
    (_MAPS, _BITS > 0, r'known has the shape .* must have \(B, 16, 16\)'),
    (_MAPS, _MAPS[..., 0], 'known is int32, but must be bool'),
    (_BITS[..., :2], _BITS[..., 0] > 0, 'given is float32, but must be int32'),
    (
      tf.repeat(_MAPS, 2, 0),
      _BITS[..., 0] > 0,
      'given has 2 rows, but noise has 1: give as many',
    ),
  ],
)
def test_what_cannot_be_given(given, known, sentence):
  with pytest.raises(ValueError, match=sentence) as error:
    input_checks.check_given(tiny.config(), given, known, _BITS)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  ('check', 'sentence'),
  [
    (
      lambda: input_checks.check_sampler('ddim'),
      'sampler is of the type str: give config.evaluation.sampler of an exp',
    ),
    (
      lambda: input_checks.check_loss(None),
      'config is of the type NoneType: give config.loss of an experiment',
    ),
    (
      lambda: input_checks.check_label_map(
        tiny.config(), tf.cast(_MAPS, tf.uint8)
      ),
      'label_map is uint8, but must be int32: cast',
    ),
    (
      lambda: input_checks.check_label_map(tiny.config(), _MAPS.numpy() - 1),
      'label_map has values from -1 to 0, but model.bits is 4, .* 0 to 15: mak',
    ),
    (
      lambda: input_checks.check_label_map(tiny.config(), _MAPS + 16),
      'label_map has values from 0 to 16, but model.bits is 4',
    ),
    (lambda: input_checks.check_seeds(None), 'neither noise nor a seed: give'),
    (
      lambda: input_checks.check_seeds(tf.zeros([2], tf.int64)),
      r'seeds has the shape \(2,\).*: give a batch, as seeds\[None\]',
    ),
    (
      lambda: input_checks.check_seeds(tf.zeros([1, 2], tf.int32)),
      'seeds is int32, but must be int64: cast',
    ),
    (
      lambda: input_checks.check_rows(a=_BITS, b=None, c=tf.zeros([3])),
      'c has 3 rows, but a has 1: give as many',
    ),
    (
      lambda: input_checks.check_gamma(tf.constant(0.5), _BITS),
      r'gamma has the shape \(\), but must have \(B\), since each row .*: give',
    ),
    (
      lambda: input_checks.check_gamma(tf.zeros([2]), _BITS),
      'gamma has 2 rows, but x_t has 1',
    ),
    (lambda: input_checks.check_gamma(0.5, _BITS), 'gamma is of the type flo'),
    (
      lambda: input_checks.check_decoded(tiny.config(), _BITS[..., :7]),
      r'x_0 has the shape \(1, 16, 16, 7\), but must have \(\.\.\., 8\), since',
    ),
  ],
)
def test_what_rows_must_have(check, sentence):
  with pytest.raises(ValueError, match=sentence) as error:
    check()
  assert '\n' not in str(error.value)


def test_values_are_not_looked_at_in_a_graph():
  traced = tf.function(
    lambda image: input_checks.check_image(tiny.config(), image),
    autograph=False,
  )
  graph = traced.get_concrete_function(
    tf.TensorSpec([None, 32, 32, 3], tf.float32)
  ).graph
  assert [op.type for op in graph.get_operations()] == ['Placeholder']
  traced(_IMAGE + 200)


def test_what_fits():
  config = tiny.config()
  input_checks.check_image(config, _IMAGE)
  input_checks.check_image(config, tf.cast(_IMAGE, tf.bfloat16))
  input_checks.check_image(config, _IMAGE.numpy())
  input_checks.check_image(config, tf.cast(_IMAGE, tf.uint8))
  input_checks.check_bits(config, 'noise', _BITS, _Encoded)
  input_checks.check_label_map(config, _MAPS)
  input_checks.check_past_masks(config, None)
  input_checks.check_given(config, None, None, _BITS)
  input_checks.check_given(config, _MAPS, _BITS[..., 0] > 0, _BITS)
  config.past_masks = 2
  input_checks.check_past_masks(config, tf.zeros([3, 16, 16, 4], tf.int32))
  with pytest.raises(ValueError, match='model.past_masks 2'):
    input_checks.check_past_masks(config, _MAPS)
  config.self_conditioning = True
  input_checks.check_estimate(config, _BITS)
  with pytest.raises(ValueError, match='estimate has the shape'):
    input_checks.check_estimate(config, _BITS[:, :8])
  config.unconditional = True
  input_checks.check_bits(config, 'noise', _BITS, None)


def test_the_doors_of_a_model_check(tmp_path):
  model = pix2seq_d.Pix2SeqD(tiny.config())
  small = tf.zeros([1, 8, 8, 3])
  with pytest.raises(ValueError, match='^image has the shape'):
    model.encode(small)
  seeds = tf.zeros([1, 2], tf.int64)
  with pytest.raises(ValueError, match='^image has the shape'):
    model.loss(small, _MAPS, seeds, base.Loss())
  with pytest.raises(ValueError, match='^image has the shape'):
    model.encode(np.zeros([32, 32, 3], np.uint8))
  with pytest.raises(ValueError, match='^seeds is int32'):
    model.loss(_IMAGE, _MAPS, tf.cast(seeds, tf.int32), base.Loss())
  with pytest.raises(
    ValueError, match='^label_map has 2 rows, but image has 1'
  ):
    model.loss(_IMAGE, tf.repeat(_MAPS, 2, 0), seeds, base.Loss())
  with pytest.raises(ValueError, match='^label_map has the shape'):
    model.loss(_IMAGE, _MAPS[:, :4], seeds, base.Loss())
  with pytest.raises(ValueError, match='^past_masks are given'):
    model.loss(_IMAGE, _MAPS, seeds, base.Loss(), past_masks=_MAPS)
  with pytest.raises(ValueError, match='^noise has the shape'):
    model.sample(_Encoded, small, base.Sampler(steps=1))
  with pytest.raises(ValueError, match='^x_t has the shape'):
    model.denoise(_Encoded, small, tf.zeros([1]))
  path = tf.train.Checkpoint(model=tf.Variable(1.0)).save(str(tmp_path / 'a'))
  with pytest.raises(ValueError, match='has no weights yet.*build_weights'):
    checkpoints.load(model, path)
