"""Panoptic segmentation of a user's own images, or of a clip's frames."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence

from configs import base
from data import registry, streams
from data.reading import spec as spec_lib
from panoptic import classes as classes_lib
from panoptic import maps, result_files
from panoptic.console import progress
from tasks import class_file, given_maps, image_files, predict_files, videos
from tasks import predictor as predictor_lib
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
  given_of = given_maps.open_maps(
    given, first_mask, inputs, config, class_file.of_weights(config, checkpoint)
  )

  predictor = predictor_lib.create(config, checkpoint, verbose=False)
  results = _results(predictor, inputs, given_of)
  if overwrite:
    predict_files.clear_output(output_dir)
  with contextlib.ExitStack() as stack:
    writers = [
      stack.enter_context(writer)
      for writer in _start_results(config, predictor.classes, output_dir)
    ]
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
      result.save_drawing(
        os.path.join(output_dir, 'overlay', f'{item.name}.png')
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
  inputs: Sequence[predict_files.Input],
  given_of: Callable[[predict_files.Input], maps.PanopticMap | None],
) -> Iterator[result_lib.Prediction]:
  """The predictions of images or frames, one at a time."""
  if predictor.config.task == 'video':
    frames = (image_files.read_image(item.path) for item in inputs)
    return predictor.track(frames, first_mask=given_of(inputs[0]))
  return (
    predictor(image_files.read_image(item.path), index=i, given=given_of(item))
    for i, item in enumerate(inputs)
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
