"""Panoptic segmentation of a user's own images, or of a clip's frames."""

import contextlib
import os
import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from PIL import Image

from configs import base
from data import dataset, registry, streams, transforms
from data.reading import spec as spec_lib
from models import checkpoints, pix2seq_d
from panoptic import answers, decode, maps, png, progress, result_files
from panoptic import classes as classes_lib
from panoptic.drawing import draw
from tasks import (
  class_file,
  completion,
  factory,
  given_maps,
  image_files,
  images,
  predict_files,
  scorer,
  videos,
)

_SIDE = 256  # Pixels: small images are drawn at least this large.


def run(
  config: base.Experiment,
  input_path: str,
  output_dir: str,
  checkpoint: str | None,
  image_list: str = '',
  overwrite: bool = False,
  given: str = '',
  first_mask: str = '',
) -> None:
  """Segments images one after another, in constant memory.

  Writes `<output>/panoptic/<name>.png` with `<output>/panoptic.json` (COCO's
  format) and `<output>/overlay/<name>.png`. If the experiment's task is video,
  the images are the frames of one clip. Its ids persist, and it is not split:
  `evaluation.video.max_frames` refuses it where `evaluation.video.split` is
  false. Of a data set with another format of result files, such files go to
  `<output>/masks/`.

  Args:
    config: The experiment that the model was trained with.
    input_path: An image, or a folder of images; for a clip a folder.
    output_dir: The folder to write.
    checkpoint: Path or folder of a checkpoint; None for
      `training.init_checkpoint`.
    image_list: As for `predict_files.find`.
    overwrite: Whether to replace the results that the folder has.
    given: Folder with maps of images, which are completed; see
      `given_maps.Folder`.
    first_mask: Label PNG of a clip's first frame, whose objects are followed;
      see `videos.follow`.

  Raises:
    FileExistsError: If the folder has results.
    FileNotFoundError: If there is no image, no checkpoint or no given map.
    NotADirectoryError: If the clip is a file.
    ValueError: If an image, the checkpoint or a given map does not fit, or if a
      clip has more frames than allowed.
  """
  if not output_dir:
    raise ValueError('--mode=predict needs --output, a folder to write')
  is_clip = config.task == 'video'
  inputs = predict_files.find(input_path, is_clip, image_list)
  maps_given = [path for path in (given, first_mask) if path]
  predict_files.check_output(output_dir, inputs, overwrite, maps_given)
  paths = [item.path for item in inputs]
  limit = config.evaluation.video
  if is_clip and limit.max_frames and not limit.split:
    streams.check_lengths({input_path: range(len(paths))}, limit.max_frames)
  if given and is_clip:
    raise ValueError(
      '--given is for images: give --first_mask, the mask of the first frame, '
      'for a clip'
    )
  if first_mask:
    videos.check_follows(config)
  image_files.check(paths, same_size=is_clip)

  classes = classes_of(config, checkpoint)
  rule = scorer.rule(config)
  given_of = given_maps.open_maps(
    given,
    first_mask,
    inputs,
    config.data.name,
    config.model.mask_size,
    rule,
    classes,
  )
  task = factory.create(config)
  model = _load_model(task, checkpoint)

  def predict(image, index, state, **known):
    batch = {**task.batch_of_one(image, index), **known}
    label_map, state = task.predict_label_map(model, batch, state)
    return label_map[0], state

  step = tf.function(
    predict, jit_compile=config.training.jit_compile, autograph=False
  )
  state = task.initial_state(1, tf.constant(config.evaluation.seed, tf.int64))
  if overwrite:
    predict_files.clear_output(output_dir)
  with contextlib.ExitStack() as stack:
    writers = [
      stack.enter_context(writer)
      for writer in _start_results(config, classes, output_dir)
    ]
    pace = progress.Pace()
    for i, item in enumerate(inputs):
      start = time.monotonic()
      image = image_files.read_image(item.path)
      resized, resized_size = transforms.eval_transform(
        dataset.DecodedExample(image), config.model.image_size
      )
      sizes = resized_size.numpy(), image.shape[:2]
      known = given_of(item, *sizes)
      if known and first_mask:  # Of the first frame alone.
        state = videos.follow(config, state, known.label_map[np.newaxis])
        answer = answers.Answer(completion.as_answer(known, rule, classes), {})
      else:
        label_map, state = step(
          resized, tf.constant(i, tf.int64), state, **_as_batch(known)
        )
        answer = scorer.answer_of(
          label_map.numpy(),
          config,
          _to_segments(known, sizes, rule, classes),
          known.model_ids if known else (),
        )
      prediction, scores = answer
      for writer in writers:
        writer.add(
          item.image_id,
          f'{item.name}.png',
          prediction,
          item.file_name,
          scores,
        )
      overlay = draw.overlay(
        image,
        prediction,
        classes,
        min_side=_SIDE,
        ids=is_clip,
        by_id=is_clip,
        max_instances=config.model.max_instances,
      )
      overlay_path = os.path.join(output_dir, 'overlay', f'{item.name}.png')
      png.save(overlay_path, Image.fromarray(overlay))
      pace.step()
      line = (
        f'{i + 1}/{len(inputs)} {item.path}: {len(prediction.segments)} '
        f'segments, {time.monotonic() - start:.1f} s'
      )
      seconds = pace.seconds_a_step()
      if seconds is not None:
        left = progress.duration(seconds * (len(inputs) - i - 1))
        line += f' | {1 / max(seconds, 1e-9):.3g} images/s | {left} left'
      print(line, flush=True)


def _as_batch(known: completion.Given | None) -> dict[str, np.ndarray]:
  """The entries of a batch of one that `predict_label_map` takes."""
  if known is None:
    return {}
  return {
    'given': known.label_map[np.newaxis],
    'known': known.known[np.newaxis],
  }


def _to_segments(
  known: completion.Given | None,
  sizes: tuple[Sequence[int], Sequence[int]],
  rule: decode.Rule,
  classes: classes_lib.ClassTable,
) -> Callable[[np.ndarray], maps.PanopticMap]:
  resized_size, original_size = sizes

  def to_segments(label_map):
    if known is None:
      return decode.decode(
        label_map, resized_size, original_size, rule, classes
      )
    return completion.complete(label_map, known, resized_size, rule, classes)

  return to_segments


def _load_model(
  task: images.ImageTask, checkpoint: str | None
) -> pix2seq_d.Pix2SeqD:
  config = task.config
  sources = [checkpoint] if checkpoint else config.training.init_checkpoint
  if not sources:
    raise FileNotFoundError(
      'no weights to predict with: give --model_dir or --checkpoint'
    )
  model = task.build_model()
  print(checkpoints.load_all(model, sources, config.evaluation.weights))
  return model


def classes_of(
  config: base.Experiment, checkpoint: str | None
) -> classes_lib.ClassTable:
  """The classes that weights were trained on, as their run's folder says.

  Without a run, as with an imported checkpoint, those of `config.data`.
  """
  if checkpoint:
    classes = class_file.of_checkpoint(checkpoint)
  else:
    classes = class_file.of_first_weights(config.training.init_checkpoint)
  return classes or registry.class_table(config.data)


def _start_results(
  config: base.Experiment, classes: classes_lib.ClassTable, output_dir: str
) -> list[result_files.ResultWriter]:
  """The result in COCO's format, and in the data set's own for videos."""
  writers = [spec_lib.coco_results(output_dir, classes)]
  own = registry.get(config.data.name).result_writer
  if config.task == 'video' and own is not spec_lib.coco_results:
    writers.append(own(os.path.join(output_dir, 'masks'), classes))
  return writers
