"""Checks of the tensors that a model is given, as far as shapes are static."""

from collections.abc import Sequence

import tensorflow as tf

from configs import base


def check_image(config: base.Model, image: tf.Tensor) -> None:
  """Checks images `[B, H, W, 3]`.

  Args:
    config: The model.
    image: What it is given.

  Raises:
    ValueError: If they are of another size, or neither bytes nor floats.
  """
  size = list(config.image_size)
  _check('image', image, [None, *size, 3], f'model.image_size is {size}')
  dtype = tf.as_dtype(image.dtype)
  if dtype != tf.uint8 and not dtype.is_floating:
    raise ValueError(
      f'image is {_name(image)}, but must be uint8, or float32 in [0, 1]: cast '
      'it to uint8'
    )


def check_bits(
  config: base.Model, name: str, x: tf.Tensor, encoded: object
) -> None:
  """Checks noisy bits, or noise, `[B, h, w, 2 * n]`, and their images.

  Args:
    config: The model.
    name: Name of the argument.
    x: What it is given.
    encoded: What the model's `encode` made of the images.

  Raises:
    ValueError: If they are of another size or not floats, or if images are
      missing or of another number.
  """
  _check_size_of_bits(name, x, config)
  if not tf.as_dtype(x.dtype).is_floating:
    raise ValueError(f'{name} is {_name(x)}, but must be float32')
  if encoded is None and not config.unconditional:
    raise ValueError(
      'encoded is None, but this model sees images: give what model.encode '
      'returns'
    )
  tokens = getattr(encoded, 'tokens', None)
  images = None if tokens is None else tokens.shape[0]
  rows = tf.TensorShape(x.shape)[0]
  if None not in (images, rows) and images != rows:
    raise ValueError(
      f'{name} has {rows} rows, but {images} images are encoded: give as many'
    )


def check_estimate(config: base.Model, estimate: tf.Tensor | None) -> None:
  """Checks estimates of x_0, `[B, h, w, 2 * n]` or None.

  Args:
    config: The model.
    estimate: What it is given.

  Raises:
    ValueError: If the model takes none, or if they are of another size.
  """
  if estimate is None:
    return
  if not config.self_conditioning:
    raise ValueError(
      'an estimate is given, but this model takes none: '
      'model.self_conditioning is false'
    )
  _check_size_of_bits('estimate', estimate, config)


def check_label_map(config: base.Model, label_map: tf.Tensor) -> None:
  """Checks panoptic maps `[B, h, w, 2]`.

  Args:
    config: The model.
    label_map: What it is given.

  Raises:
    ValueError: If they are of another size, or not whole numbers.
  """
  _check_maps('label_map', label_map, config, 1)


def check_past_masks(config: base.Model, past_masks: tf.Tensor | None) -> None:
  """Checks the maps of earlier frames, `[B, h, w, 2 * past_masks]` or None.

  Args:
    config: The model.
    past_masks: What it is given.

  Raises:
    ValueError: If the model takes none, or if they are of another size or not
      whole numbers.
  """
  if past_masks is None:
    return
  if not config.past_masks:
    raise ValueError(
      'past_masks are given, but this model takes none: model.past_masks is 0'
    )
  _check_maps('past_masks', past_masks, config, config.past_masks)


def check_given(
  config: base.Model,
  given: tf.Tensor | None,
  known: tf.Tensor | None,
  noise: tf.Tensor,
) -> None:
  """Checks partly known maps `[B, h, w, 2]`, and which part `[B, h, w]` is.

  Args:
    config: The model.
    given: The maps, or None.
    known: The part, or None.
    noise: Unit noise `[B, h, w, 2 * n]`, which has been checked.

  Raises:
    ValueError: If one is missing, or if they are of another size, number or
      type.
  """
  if given is None and known is None:
    return
  if given is None or known is None:
    there, lacking = ('given', 'known')[:: 1 if known is None else -1]
    raise ValueError(
      f'{there} is there without {lacking}: give the maps and, as booleans, '
      'which of their pixels are known'
    )
  _check_maps('given', given, config, 1)
  size = list(config.mask_size)
  _check('known', known, [None, *size], f'model.mask_size is {size}')
  if tf.as_dtype(known.dtype) != tf.bool:
    raise ValueError(f'known is {_name(known)}, but must be bool')
  rows = tf.TensorShape(noise.shape)[0]
  for name, x in (('given', given), ('known', known)):
    count = tf.TensorShape(x.shape)[0]
    if None not in (count, rows) and count != rows:
      raise ValueError(
        f'{name} has {count} rows, but noise has {rows}: give as many'
      )


def _check_size_of_bits(name, x, config) -> None:
  size, n = list(config.mask_size), config.bits
  meaning = f'model.mask_size is {size} and model.bits {n}'
  _check(name, x, [None, *size, 2 * n], meaning)


def _check_maps(name, maps, config, count) -> None:
  size = list(config.mask_size)
  meaning = f'model.mask_size is {size}'
  if name == 'past_masks':
    meaning += f' and model.past_masks {count}'
  _check(name, maps, [None, *size, 2 * count], meaning)
  if not tf.as_dtype(maps.dtype).is_integer:
    raise ValueError(f'{name} is {_name(maps)}, but must be int32')


def _check(
  name: str, x: tf.Tensor, shape: Sequence[int | None], meaning: str
) -> None:
  if not tf.TensorShape(x.shape).is_compatible_with(shape):
    expected = ', '.join(map(str, shape[1:]))
    raise ValueError(
      f'{name} has the shape {tuple(x.shape)}, but must have (B, {expected}), '
      f'since {meaning}'
    )


def _name(x) -> str:
  return tf.as_dtype(x.dtype).name
