"""Panoptic segmentation and tracking in a user's own clip."""

import os
import re
from typing import List, Optional

import numpy as np
import tensorflow as tf

from configs import base
from data import dataset, transforms, video_pipeline
from tasks import panoptic, predict, video, video_scorer


def find_frames(path: str) -> List[str]:
  """The frames of a folder, in order.

  Names that end in a number are ordered by it, and no number may be missing
  between the first and the last; names without any are ordered as text.

  Raises:
    FileNotFoundError: where there is none, or one is missing.
    NotADirectoryError: where the path is a file.
    ValueError: where two have one number, or not all names are alike.
  """
  if os.path.isfile(path):
    raise NotADirectoryError(
      f'{path} is a file: give --input a folder with the frames of a clip'
    )
  frames = predict.find_photos(path)
  names = [os.path.splitext(os.path.basename(frame))[0] for frame in frames]
  found = [re.fullmatch(r'(.*?)(\d+)', name) for name in names]
  if not any(found):
    return frames
  stems = [match[1] if match else None for match in found]
  usual = max(stems, key=stems.count)
  for frame, stem in zip(frames, stems, strict=True):
    if stem != usual:
      raise ValueError(
        f'{frame} is not named {usual or ""}<number>, like other frames of the '
        'clip: rename it, or move it elsewhere'
      )
  numbers = [int(match[2]) for match in found]
  order = np.argsort(numbers, kind='stable')
  steps = np.diff(np.array(numbers)[order])
  for i, step in enumerate(steps.tolist()):
    before, after = (names[order[j]] for j in (i, i + 1))
    if step == 0:
      raise ValueError(
        f'two frames in {path}, {before} and {after}, have one number: rename '
        'or remove one'
      )
    if step != steps.min():
      raise FileNotFoundError(
        f'{path} lacks a frame between {before} and {after}: add it, or number '
        'the frames without gaps'
      )
  return [frames[i] for i in order]


def check(frames: List[str]) -> None:
  """Reads all frames, so that a bad one is not found out after an hour.

  Raises:
    ValueError: where one cannot be read, or is of another size.
  """
  first = None
  for path in frames:
    size = predict.read_photo(path).shape[:2]
    first = first or size
    if size != first:
      raise ValueError(
        f'{path} has {size[0]}x{size[1]} pixels, but {frames[0]} has '
        f'{first[0]}x{first[1]}: give all frames of a clip one size'
      )


def run(
  config: base.Experiment,
  input_path: str,
  output_dir: str,
  checkpoint: Optional[str],
) -> None:
  """Segments the frames of a clip, one after another, in constant memory.

  Writes `<output>/panoptic/<name>.png` with `<output>/panoptic.json` (the COCO
  panoptic format), `<output>/masks/<name>.png` (the format of DAVIS where J&F
  is the metric, else that of KITTI-STEP) and `<output>/overlay/<name>.png`. An
  id is the same thing in all frames: `evaluation.video.max_frames` splits no
  clip here, but refuses it where `evaluation.video.split` is false.

  Args:
    config: the experiment that the model was trained with.
    input_path: a folder of frames.
    output_dir: where to write.
    checkpoint: path or folder of a checkpoint; None for
      `training.init_checkpoint`.

  Raises:
    FileNotFoundError: where a frame or the checkpoint is missing.
    NotADirectoryError: where the input is a file.
    ValueError: where a frame or the checkpoint does not fit, or there are more
      frames than allowed.
  """
  if not output_dir:
    raise ValueError('--mode=predict needs --output, a folder to write')
  frames = find_frames(input_path)
  names = predict.names_of(frames, input_path)
  limit = config.evaluation.video
  if limit.max_frames and not limit.split:
    video_pipeline.check_lengths(
      {input_path: range(len(frames))}, limit.max_frames
    )
  check(frames)
  classes = predict.classes_of(config, checkpoint)
  task = video.Video(config)
  model = predict.load(task, checkpoint)
  step = tf.function(
    task.predict_frame, jit_compile=config.training.jit_compile
  )
  memory = task.first_memory(1, tf.constant(config.evaluation.seed, tf.int64))
  write = video_scorer.writer(config)
  with predict.Output(output_dir, classes, len(frames)) as output:
    for t, (path, name) in enumerate(zip(frames, names, strict=True)):
      photo = predict.read_photo(path)
      image, resized_size = transforms.eval_transform(
        dataset.DecodedExample(photo), config.model.image_size
      )
      label_map, memory = step(
        model,
        image,
        tf.constant(t, tf.int64),
        tf.constant(t == 0),
        memory,
      )
      segment_ids, found = panoptic.to_segments(
        label_map.numpy(), resized_size, photo.shape[:2], config, classes
      )
      masks = os.path.join(output_dir, 'masks', f'{name}.png')
      write(masks, segment_ids, found, classes)
      output.add(path, name, photo, segment_ids, found, ids=True, by_id=True)
