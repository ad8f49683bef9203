"""`--mode=export`: a SavedModel that needs none of this code.

Signatures, b images of one size, which may be any:

  serving_default  image uint8 [b, H, W, 3]
  sample           image, index int64 [b], seed int64 [], steps int32 []

and for videos, whose frames are numbered from 0 on,

  serving_default  image: the first frames of b clips
  next_frame       image, frame int64 [b], past_masks int32 [b, F, h, w, 2]
  sample           image, frame, past_masks, seed, steps

All return class_ids and instance_ids int32 [b, H, W], 0 for void; those of
videos also past_masks, for the next frame. `assets/classes.json` names the
classes.
"""

import tempfile
from collections.abc import Callable

import tensorflow as tf

from configs import base
from data import dataset, transforms
from export import decode_ops, output_folder, stored_run
from models import pix2seq_d
from panoptic import classes as classes_lib
from tasks import class_file, images, scorer
from training import log

_Function = Callable[..., dict[str, tf.Tensor]]


def run(
  config: base.Experiment, checkpoint: str | None, output_dir: str
) -> None:
  """Writes the SavedModel.

  Args:
    config: The experiment that the model was trained with; its evaluation
      settings become those of the SavedModel.
    checkpoint: Prefix of a checkpoint; None for `training.init_checkpoint`.
    output_dir: The folder to write.

  Raises:
    FileExistsError: If the folder is not empty.
    FileNotFoundError: If there is no checkpoint.
    ValueError: If a checkpoint is damaged or lacks a weight of the model.
  """
  output_folder.check(output_dir, 'export')
  if config.evaluation.samples > 1:
    raise ValueError(
      f'evaluation.samples is {config.evaluation.samples}, but a SavedModel '
      'gives one answer: export with evaluation.samples=1'
    )
  found = stored_run.load(config, checkpoint)
  log.log(str(found.reports))
  functions = signatures(found.task, found.model, found.classes)
  module = tf.Module()
  module.weights = list(found.model.weights)
  with tempfile.TemporaryDirectory() as assets:
    class_file.save(found.classes, assets)
    module.classes = tf.saved_model.Asset(class_file.path(assets))
    with output_folder.written(output_dir) as folder:
      tf.saved_model.save(
        module,
        folder,
        functions,
        tf.saved_model.SaveOptions(experimental_custom_gradients=False),
      )
  log.log(f'{", ".join(functions)} are in {output_dir}.')


def signatures(
  task: images.ImageTask,
  model: pix2seq_d.Pix2SeqD,
  classes: classes_lib.ClassTable,
) -> dict[str, _Function]:
  """The functions that are served, by their names; see above.

  Args:
    task: Its settings are those of the functions.
    model: With its weights.
    classes: The classes that it was trained on.

  Returns:
    Traced functions of tensors given by name.
  """
  is_video = task.config.task == 'video'
  number = 'frame' if is_video else 'index'
  evaluation = task.config.evaluation
  segment = _segment_fn(task, model, classes)

  def settings_of_run():
    settings = {'seed': tf.constant(evaluation.seed, tf.int64)}
    # Given as in `sample`, whose graph then serves all signatures.
    if not (is_video and evaluation.video.first_frame_steps):
      settings['steps'] = tf.constant(evaluation.sampler.steps)
    return settings

  def serving_default(image):
    rows, settings = tf.shape(image)[0], settings_of_run()
    start = task.initial_state(rows, settings['seed'])
    return segment(image, tf.zeros([rows], tf.int64), {**start, **settings})

  def next_frame(image, **state):
    numbers = state.pop(number)
    return segment(image, numbers, {**state, **settings_of_run()})

  def sample(image, **state):
    numbers, steps = state.pop(number), state['steps']
    some = tf.debugging.assert_positive(steps, 'steps must be 1 or more')
    with tf.control_dependencies([some]):
      state['steps'] = tf.identity(steps)
    return segment(image, numbers, state)

  image = {'image': tf.TensorSpec([None, None, None, 3], tf.uint8)}
  row = {number: tf.TensorSpec([None], tf.int64)}
  settings = {
    'seed': tf.TensorSpec([], tf.int64),
    'steps': tf.TensorSpec([], tf.int32),
  }
  state = {
    name: tf.TensorSpec([None, *value.shape[1:]], value.dtype)
    for name, value in task.initial_state(1, tf.constant(0, tf.int64)).items()
    if name != 'seed'
  }
  found = {'serving_default': _traced(serving_default, image)}
  if is_video:
    found['next_frame'] = _traced(next_frame, {**image, **row, **state})
  found['sample'] = _traced(sample, {**image, **row, **state, **settings})
  return found


def _traced(function: _Function, specs: dict[str, tf.TensorSpec]) -> _Function:
  """The graph of a function for tensors of these names, shapes and types."""
  return tf.function(function, autograph=False).get_concrete_function(
    **{
      name: tf.TensorSpec(spec.shape, spec.dtype, name)
      for name, spec in specs.items()
    }
  )


def _segment_fn(task, model, classes) -> _Function:
  """A function of images, their numbers and a state, as `--mode=predict`."""
  config = task.config
  rule = scorer.rule(config)

  def predict(image, numbers, state):
    batch = task.batch_of_images(image, numbers)
    return task.predict_label_map(model, batch, state)

  step = tf.function(
    predict, jit_compile=config.training.jit_compile, autograph=False
  )

  def segment(image, numbers, state):
    image_size, original_size = config.model.image_size, tf.shape(image)[1:3]

    def decode(row):
      label_map, resized_size = row
      return decode_ops.decode(
        label_map, resized_size, original_size, rule, classes
      )

    resized, resized_size = tf.map_fn(
      lambda row: transforms.eval_transform(
        dataset.DecodedExample(row), image_size
      ),
      image,
      fn_output_signature=(
        tf.TensorSpec([*image_size, 3], tf.uint8),
        tf.TensorSpec([2], tf.int32),
      ),
    )
    label_map, state = step(resized, numbers, state)
    class_ids, instance_ids = tf.map_fn(
      decode,
      (label_map, resized_size),
      fn_output_signature=(tf.TensorSpec([None, None], tf.int32),) * 2,
    )
    answer = {'class_ids': class_ids, 'instance_ids': instance_ids}
    if 'past_masks' in state:
      answer['past_masks'] = state['past_masks']
    return answer

  return segment
