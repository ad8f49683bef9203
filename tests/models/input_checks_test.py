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
    (input_checks.check_image, [_IMAGE[0]], r'image has the shape \(32, 32'),
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
