"""The files of a checkpoint: its tensors by object path.

A checkpoint may hold a model's weights alone, without optimizer and the second
copy of the weights. Its tensors have the keys that a run's checkpoint has:

  ema/<weight>    an averaged weight, or
  model/<weight>  a weight as trained, where there is no average
  step            int64, number of updates that made them
  weights_format  int32, the version of this form

Such weights are float16, which makes an eighth of a run's checkpoint. A tensor
whose largest value is beyond the range of float16 stays float32.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

_VALUE = '/.ATTRIBUTES/VARIABLE_VALUE'
_FORMAT, _STEP = 'weights_format', 'step'
_VERSION = 1


class Reader:
  """Reads tensors of a checkpoint.

  Attributes:
    prefix: The checkpoint's.
    shapes: The shapes of its tensors by object path.
    holds_weights_alone: Whether `save_weights` wrote it.
  """

  def __init__(self, prefix: str):
    """Opens the checkpoint.

    Args:
      prefix: Path without the ending `.index`.

    Raises:
      ValueError: If it is damaged, or of a version that is not known.
    """
    self.prefix = prefix
    try:
      self._reader = tf.compat.v1.train.NewCheckpointReader(prefix)
      shapes = self._reader.get_variable_to_shape_map()
    except (tf.errors.OpError, ValueError) as error:
      raise ValueError(
        f'the checkpoint {prefix} cannot be read: copy it again, all of its '
        'files from one place'
      ) from error
    self.shapes: dict[str, list[int]] = {
      key.removesuffix(_VALUE): shape
      for key, shape in shapes.items()
      if key.endswith(_VALUE)
    }
    self.holds_weights_alone = _FORMAT in self.shapes
    if self.holds_weights_alone:
      version = int(self.read(_FORMAT))
      if version != _VERSION:
        raise ValueError(
          f'the checkpoint {prefix} holds weights in format {version}, but '
          f'this program knows format {_VERSION}: use the version of the '
          'program that wrote it, or a later one'
        )

  def read(self, key: str) -> np.ndarray:
    """The value of a tensor, float32 where the file has float16.

    Args:
      key: Its object path.

    Raises:
      ValueError: If the file is damaged there.
    """
    try:
      value = self._reader.get_tensor(key + _VALUE)
    except (tf.errors.OpError, IndexError) as error:  # IndexError: cut short.
      raise ValueError(
        f'the checkpoint {self.prefix} is damaged at {key}: copy it again'
      ) from error
    is_half = getattr(value, 'dtype', None) == np.float16
    return value.astype(np.float32) if is_half else value

  def step(self) -> int:
    """The number of updates that made the weights; 0 if the file has none."""
    return int(self.read(_STEP)) if _STEP in self.shapes else 0


class Saved(NamedTuple):
  """What `save_weights` wrote.

  Attributes:
    size: Bytes of the weights.
    whole: Keys of those that are kept in float32.
  """

  size: int
  whole: list[str]


def save_weights(
  prefix: str, weights: Mapping[str, np.ndarray], step: int
) -> Saved:
  """Writes weights alone, in half precision.

  Args:
    prefix: Path without an ending, in a folder that exists.
    weights: float32 arrays by key: `ema/<weight>` or `model/<weight>`.
    step: Number of updates that made them.

  Raises:
    ValueError: If a weight is not finite.
  """
  tensors: dict[str, np.ndarray] = {
    _STEP: np.array(step, np.int64),
    _FORMAT: np.array(_VERSION, np.int32),
  }
  saved = Saved(0, [])
  for key, value in weights.items():
    if not np.isfinite(value).all():
      raise ValueError(
        f'the weight {key} is not finite: take a checkpoint from before that'
      )
    if _fits_half_precision(value):
      value = value.astype(np.float16)
    else:
      saved.whole.append(key)
    tensors[key] = value
    saved = saved._replace(size=saved.size + value.nbytes)
  tf.raw_ops.SaveV2(
    prefix=prefix,
    tensor_names=[key + _VALUE for key in tensors],
    shape_and_slices=[''] * len(tensors),
    tensors=list(tensors.values()),
  )
  return saved


def _fits_half_precision(value: np.ndarray) -> bool:
  """Whether float16 errs by no more than 2**-11 of the largest value.

  A larger one than that of float16 would be infinite. Numbers that are small
  beside others lose bits, to no harm; but not where all are.
  """
  limits = np.finfo(np.float16)
  largest = np.abs(value).max(initial=0.0)
  return bool(largest == 0 or limits.tiny <= largest <= limits.max)
