"""Checks of the tensors that a model is given.

In a graph they check types and static shapes only, and cost nothing when it
runs; values are checked only in direct calls.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from configs import base

# Of rounding, beyond [0, 1].
_MARGIN = 1e-2


def check_image(config: base.Model, image: tf.Tensor) -> None:
  """Checks images `[B, H, W, 3]`.

  Args:
    config: The model.
    image: What it is given.

  Raises:
    ValueError: If they are of another size, neither bytes nor floats, or
      floats of another range.
  """
  size = list(config.image_size)
  _check(
    'image',
    image,
    [None, *size, 3],
    f'model.image_size is {size}',
    f': resize it, as tf.image.resize(image, {size}) does, or call a '
    'predictor, which takes any size',
  )
  if _name(image) == 'uint8':
    return
  if not _is_float(image):
    raise ValueError(
      f'image is {_name(image)}, but must be uint8, or float32 in [0, 1]: cast '
      'it to uint8'
    )
  if _has_values(image):
    values = np.asarray(image, np.float32)
    low, high = values.min(initial=0), values.max(initial=0)
    if low < -_MARGIN or high > 1 + _MARGIN:
      raise ValueError(
        f'image has values from {low:g} to {high:g}, but floats must be in '
        '[0, 1]: divide bytes by 255, or cast them to uint8'
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
  if not _is_float(x) or _name(x) == 'float64':
    raise ValueError(
      f'{name} is {_name(x)}, but must be float32: cast it to tf.float32'
    )
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


def check_gamma(gamma: tf.Tensor, x_t: tf.Tensor) -> None:
  """Raises ValueError unless there is a share of signal for each row."""
  _check('gamma', gamma, [None], 'each row has its own')
  check_rows(x_t=x_t, gamma=gamma)


def check_sampler(sampler: base.Sampler) -> None:
  """Raises ValueError unless it is the section of a configuration."""
  if not isinstance(sampler, base.Sampler):
    raise ValueError(
      f'sampler is of the type {type(sampler).__name__}: give '
      'config.evaluation.sampler of an experiment, or base.Sampler(steps=20)'
    )


def check_loss(config: base.Loss) -> None:
  """Raises ValueError unless it is the section of a configuration."""
  if not isinstance(config, base.Loss):
    raise ValueError(
      f'config is of the type {type(config).__name__}: give config.loss of an '
      'experiment, or base.Loss()'
    )


def check_seeds(seeds: tf.Tensor | None) -> None:
  """Raises ValueError unless there is a seed for each row, int64 `[B, 2]`."""
  if seeds is None:
    raise ValueError(
      'there is neither noise nor a seed: give seeds, such as '
      'prng.row_seeds(seed, index) makes'
    )
  _check('seeds', seeds, [None, 2], 'a seed is two numbers')
  if _name(seeds) != 'int64':
    raise ValueError(
      f'seeds is {_name(seeds)}, but must be int64: cast it to tf.int64'
    )


def check_rows(**tensors: tf.Tensor | None) -> None:
  """Raises ValueError if tensors, by name, have other numbers of rows."""
  first = ''
  shapes = {
    name: tf.TensorShape(x.shape)
    for name, x in tensors.items()
    if x is not None
  }
  rows = {name: shape[0] for name, shape in shapes.items() if shape.rank}
  for name, count in rows.items():
    if count is None:
      continue
    first = first or name
    if count != rows[first]:
      raise ValueError(
        f'{name} has {count} rows, but {first} has {rows[first]}: give as many'
      )


def check_decoded(config: base.Model, x_0: tf.Tensor) -> None:
  """Raises ValueError unless `x_0` is analog bits `[..., 2 * n]`."""
  _require_tensor('x_0', x_0)
  shape = tf.TensorShape(x_0.shape)
  bits = 2 * config.bits
  if shape.rank == 0 or (shape.rank and shape[-1] not in (None, bits)):
    raise ValueError(
      f'x_0 has the shape {tuple(shape)}, but must have (..., {bits}), since '
      f'model.bits is {config.bits}: give what model.sample returns'
    )


def check_label_map(config: base.Model, label_map: tf.Tensor) -> None:
  """Checks panoptic maps `[B, h, w, 2]`.

  Args:
    config: The model.
    label_map: What it is given.

  Raises:
    ValueError: If they are of another size, not whole numbers, or of numbers
      that the model's bits cannot write.
  """
  _check_maps('label_map', label_map, config, 1)
  if _name(label_map) not in ('int32', 'int64'):
    raise ValueError(
      f'label_map is {_name(label_map)}, but must be int32: cast it to tf.int32'
    )
  if _has_values(label_map):
    values, most = np.asarray(label_map), 2**config.bits - 1
    low, high = values.min(initial=0), values.max(initial=0)
    if low < 0 or high > most:
      raise ValueError(
        f'label_map has values from {low} to {high}, but model.bits is '
        f'{config.bits}, which write 0 to {most}: make void, and what finds no '
        'id, 0'
      )


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
  if _name(known) != 'bool':
    raise ValueError(f'known is {_name(known)}, but must be bool')
  check_rows(noise=noise, given=given, known=known)


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
  if not _name(maps).startswith(('int', 'uint')):
    raise ValueError(
      f'{name} is {_name(maps)}, but must be int32: cast it to tf.int32'
    )


def _check(
  name: str,
  x: Any,
  shape: Sequence[int | None],
  meaning: str,
  mend: str = '',
) -> None:
  _require_tensor(name, x)
  given = tf.TensorShape(x.shape)
  if given.is_compatible_with(shape):
    return
  if given.is_compatible_with(shape[1:]):
    mend = f': give a batch, as {name}[None] is one of a single row'
  expected = ', '.join(['B', *map(str, shape[1:])])
  raise ValueError(
    f'{name} has the shape {tuple(x.shape)}, but must have ({expected}), since '
    f'{meaning}{mend}'
  )


def _require_tensor(name: str, x: Any) -> None:
  if not hasattr(x, 'shape') or not hasattr(x, 'dtype'):
    raise ValueError(
      f'{name} is of the type {type(x).__name__}: give a tensor, or an array '
      'of NumPy'
    )


def _has_values(x: Any) -> bool:
  """Whether it is no symbol of a graph."""
  return isinstance(x, (np.ndarray, tf.__internal__.EagerTensor))


def _is_float(x: Any) -> bool:
  return _name(x) in ('float16', 'bfloat16', 'float32', 'float64')


def _name(x: Any) -> str:
  """The type of the elements."""
  return getattr(x.dtype, 'name', str(x.dtype))
