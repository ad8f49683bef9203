"""Panoptic segmentation of a user's own images, or of a clip's frames."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from PIL import Image

from configs import base
from data import registry, streams
from data.reading import spec as spec_lib
from panoptic import classes as classes_lib
from panoptic import files, maps, png, result_files
from panoptic.console import progress
from tasks import class_file, videos
from tasks import predictor as predictor_lib
from tasks.prediction import given_maps, image_files, predict_files, video_file
from tasks.prediction import result as result_lib


def run(
  config: base.Experiment,
  input_path: str,
  output_dir: str,
  checkpoint: str | None,
  image_list: str = '',
  overwrite: bool = False,
  given: str = '',
  first_mask: str = '',
  trajectory: bool = False,
) -> None:
  """Segments images one after another, in constant memory.

  Writes `<output>/panoptic/<name>.png` with `<output>/panoptic.json` (COCO's
  format) and `<output>/overlay/<name>.png`. If the experiment's task is video,
  the images are the frames of one clip. Its ids persist, and it is not split:
  `evaluation.video.max_frames` refuses it where `evaluation.video.split` is
  false. Of a data set with another format of result files, such files go to
  `<output>/masks/`. The frames of a video file are read one by one, and the
  drawings of them are also `<output>/overlay.mp4`.

  Args:
    config: The experiment that the model was trained with.
    input_path: An image, a folder of images, or a video file; for a clip one
      of the latter two.
    output_dir: The folder to write.
    checkpoint: Path or folder of a checkpoint; None for
      `training.init_checkpoint`.
    image_list: As for `predict_files.find`.
    overwrite: Whether to replace the results that the folder has.
    given: Folder with maps of images, which are completed; see
      `given_maps.Folder`.
    first_mask: Label PNG of a clip's first frame, whose objects are followed;
      see `videos.follow`.
    trajectory: Whether to draw how the sampler arrives at each answer, of a
      clip at the first, into `<output>/trajectory/<name>.png`.

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
  maps_given = [path for path in (given, first_mask) if path]
  if trajectory and first_mask:
    raise ValueError(
      '--trajectory shows how the first frame is found, which --first_mask '
      'gives: leave out one of the two'
    )
  video = None
  is_video = video_file.is_video(input_path, of_clip=is_clip)
  if is_video and not files.is_folder(input_path):
    if image_list:
      raise ValueError(
        f'--image_list is for images, but {input_path} is a video: leave it out'
      )
    video = video_file.Reader(input_path)
    first = predict_files.of_video(input_path, 1, video.size)
    predict_files.check_output(output_dir, first, overwrite, maps_given)
    inputs = predict_files.of_video(input_path, video.count(), video.size)
  else:
    inputs = predict_files.find(input_path, is_clip, image_list)
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
  if video is None:
    image_files.check(paths, same_size=is_clip)
  given_of = given_maps.open_maps(
    given, first_mask, inputs, config, class_file.of_weights(config, checkpoint)
  )

  predictor = predictor_lib.create(config, checkpoint, verbose=False)
  pixels = iter(video or map(image_files.read_image, paths))
  results = _results(predictor, pixels, inputs, given_of)
  if overwrite:
    predict_files.clear_output(output_dir)
  with contextlib.ExitStack() as stack:
    writers = [
      stack.enter_context(writer)
      for writer in _start_results(config, predictor.classes, output_dir)
    ]
    drawings = None
    if video is not None:
      path = os.path.join(output_dir, 'overlay.mp4')
      drawings = stack.enter_context(video_file.Writer(path, video.rate))
    pace = progress.Pace()
    for i, item in enumerate(inputs):
      start = time.monotonic()
      result = next(results)
      for writer in writers:
        writer.add(
          item.image_id,
          f'{item.name}.png',
          result.panoptic_map,
          item.file_name,
          result.scores,
        )
      drawing = result.draw()
      name = f'{item.name}.png'
      png.save(
        os.path.join(output_dir, 'overlay', name), Image.fromarray(drawing)
      )
      if drawings is not None:
        drawings.add(drawing)
      if trajectory and not (is_clip and i):
        known = None if is_clip else given_of(item)
        predictor.trajectory(result.image, index=i, given=known).save_drawing(
          os.path.join(output_dir, 'trajectory', name)
        )
      pace.step()
      count = len(result.panoptic_map.segments)
      line = (
        f'{i + 1}/{len(inputs)} {item.path}: {count} segments, '
        f'{time.monotonic() - start:.1f} s'
      )
      seconds = pace.seconds_a_step()
      if seconds is not None:
        left = progress.duration(seconds * (len(inputs) - i - 1))
        line += f' | {1 / max(seconds, 1e-9):.3g} images/s | {left} left'
      print(line, flush=True)


def _results(
  predictor: predictor_lib.Predictor,
  pixels: Iterator[np.ndarray],
  inputs: Sequence[predict_files.Input],
  given_of: Callable[[predict_files.Input], maps.PanopticMap | None],
) -> Iterator[result_lib.Prediction]:
  """The predictions of images or frames, one at a time."""
  if predictor.config.task == 'video':
    return predictor.track(pixels, first_mask=given_of(inputs[0]))
  return (
    predictor(image, index=i, given=given_of(item))
    for i, (image, item) in enumerate(zip(pixels, inputs, strict=True))
  )


def _start_results(
  config: base.Experiment, classes: classes_lib.ClassTable, output_dir: str
) -> list[result_files.ResultWriter]:
  """The result in COCO's format, and in the data set's own for videos."""
  writers = [spec_lib.coco_results(output_dir, classes)]
  own = registry.get(config.data.name).result_writer
  if config.task == 'video' and own is not spec_lib.coco_results:
    writers.append(own(os.path.join(output_dir, 'masks'), classes))
  return writers
