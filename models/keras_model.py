"""What the methods of a Keras model mean here.

Keras calls a model as one function of its inputs. This one is trained by `loss`
and answers by sampling, so most of Keras' methods would fail with Keras' own
errors or do something else. Here each works, or says what to call instead.
"""

import os
from collections.abc import Callable
from typing import Any, NoReturn

import tensorflow as tf
import tf_keras

from models import checkpoints, load_report

_ANSWER = (
  'call model.infer(image, sampler, seed) for label maps, or '
  'tasks.predictor.load(model_dir)(image) for segments'
)
_TRAIN = (
  'train with main.py --mode=train, or take the gradient of model.loss in a '
  'loop of your own'
)
_SCORE = 'score a run with main.py --mode=eval --model_dir=RUN'
_EXPORT = (
  'main.py --mode=export --model_dir=RUN --output=FOLDER writes a SavedModel, '
  'and --mode=export_weights the weights alone'
)
_CONFIGURATION = (
  'its configuration is model.config, and weights are written by '
  'model.save_weights(path)'
)


def _refused(name: str, way: str) -> Callable[..., NoReturn]:
  """A method that says what to do instead."""

  def method(self, *args, **kwargs):
    del args, kwargs
    raise NotImplementedError(f'{type(self).__name__} has no {name}: {way}')

  method.__name__ = name.rpartition('.')[-1]
  method.__doc__ = f'Raises NotImplementedError: {way}.'
  return method


class KerasModel(tf_keras.Model):
  """A model of Keras whose inherited methods work, or say what does."""

  __call__ = _refused('model(image)', _ANSWER)
  call = _refused('model.call', _ANSWER)
  predict = _refused('model.predict', _ANSWER)
  predict_on_batch = _refused('model.predict_on_batch', _ANSWER)
  compile = _refused('model.compile', _TRAIN)
  fit = _refused('model.fit', _TRAIN)
  train_on_batch = _refused('model.train_on_batch', _TRAIN)
  evaluate = _refused('model.evaluate', _SCORE)
  test_on_batch = _refused('model.test_on_batch', _SCORE)
  save = _refused('model.save', _EXPORT)
  export = _refused('model.export', _EXPORT)
  get_config = _refused('model.get_config', _CONFIGURATION)
  to_json = _refused('model.to_json', _CONFIGURATION)
  to_yaml = _refused('model.to_yaml', _CONFIGURATION)

  def build_weights(self) -> None:
    """Creates all weights."""
    raise NotImplementedError

  def build(self, input_shape: Any = None) -> None:
    """As `build_weights`: the sizes are those of the configuration."""
    del input_shape
    if not self.built:
      self.build_weights()

  def require_weights(self) -> None:
    """Raises ValueError if the weights do not exist yet."""
    if not self.built:
      raise ValueError(
        'the model has no weights yet: call model.build_weights(), and '
        'model.load_weights(path) with the folder of a run'
      )

  def summary(self, *args: Any, **kwargs: Any) -> None:
    """Prints the parts and their parameters, as Keras does.

    Raises:
      ValueError: If the model has no weights yet.
    """
    self.require_weights()
    super().summary(*args, **kwargs)

  def save_weights(self, path: str | os.PathLike) -> str:
    """Writes the weights as a checkpoint, which `load_weights` reads.

    Args:
      path: Of the checkpoint, a prefix of the names of its files, as
        'folder/ckpt'.

    Returns:
      The path.

    Raises:
      ValueError: If the model has no weights yet, or for the name of a file in
        another format.
    """
    self.require_weights()
    path = os.fspath(path)
    if path.endswith(('.h5', '.hdf5', '.keras')):
      raise ValueError(
        f'{path} ends like a file of another format, but weights are written '
        'as a checkpoint of TensorFlow: leave out the ending'
      )
    return tf.train.Checkpoint(model=self).write(path)

  def load_weights(
    self, path: str | os.PathLike, weights: str = 'ema'
  ) -> load_report.Report:
    """Reads the weights of a checkpoint; see `checkpoints.load`.

    Args:
      path: A path, or the folder of a run, whose newest checkpoint is taken.
      weights: 'ema' for the averaged weights where it has them, or 'online'.

    Returns:
      What was loaded and what was not.

    Raises:
      FileNotFoundError: If there is no checkpoint.
      ValueError: If it does not fit, or if the model has no weights yet.
    """
    return checkpoints.load(self, os.fspath(path), weights)

  def _trackable_children(
    self, save_type: str = 'checkpoint', **kwargs: Any
  ) -> Any:
    """Of `tf.saved_model.save`, which would write a model without functions."""
    if save_type == 'savedmodel':
      raise NotImplementedError(
        f'{type(self).__name__} has no function to serve by itself: {_EXPORT}'
      )
    return super()._trackable_children(save_type, **kwargs)
