"""A trained model to call on images: all predictions go through it.

  predictor = load('runs/shapes')
  predictor('cat.jpg').save_drawing('cat_segments.png')

It belongs to the tasks, which know classes and rules of segments, and needs
nothing of `training`.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from configs import base, loading, run_settings
from models import checkpoints, pix2seq_d
from panoptic import answers as answers_lib
from panoptic import classes as classes_lib
from panoptic import files, maps
from tasks import scorer, validation, videos
from tasks.prediction import (
  completion,
  image_files,
  known_maps,
  programs,
  result,
  settings,
  stored_model,
  video_file,
)
from tasks.prediction import trajectory as trajectory_lib


def load(
  run: str | os.PathLike,
  checkpoint: str | os.PathLike = '',
  params_override: str | Mapping[str, Any] = '',
  verbose: bool = True,
) -> 'Predictor':
  """Loads the model of a run's folder, with its experiment and classes.

  Args:
    run: The folder that training wrote, which may be remote.
    checkpoint: Path or folder of another checkpoint of this model; '' for the
      newest one of the run.
    params_override: Fields of the experiment to change, as for `loading.load`:
      'evaluation.sampler.steps=50', or a dictionary.
    verbose: As for `Predictor`.

  Raises:
    FileNotFoundError: If the folder has no experiment or no checkpoint.
    ValueError: If a field is wrong, or the checkpoint of another model.
  """
  run, checkpoint = (files.expand_home(os.fspath(p)) for p in (run, checkpoint))
  if not files.is_file(os.path.join(run, loading.FILE)):
    near = checkpoints.did_you_mean(run)
    raise FileNotFoundError(
      f'{run or checkpoint} has no {loading.FILE}{near}: give the '
      '--model_dir of a run'
    )
  choice = run_settings.choose('', '', run, params_override=params_override)
  config = choice.config
  validation.validate(config)
  path = checkpoints.find_or_newest(checkpoint, run)
  if path is None:
    raise FileNotFoundError(
      f'{run} has no checkpoint yet: train it further, or give checkpoint, the '
      'path of another'
    )
  loading.check_same_model(config, os.path.dirname(path))
  print(choice.line, flush=True)
  return create(config, path, verbose)


def create(
  config: base.Experiment, checkpoint: str | None, verbose: bool = True
) -> 'Predictor':
  """Builds the model of an experiment, and says which weights it has.

  Args:
    config: The experiment, which is valid.
    checkpoint: Path or folder; None for `training.init_checkpoint`.
    verbose: As for `Predictor`.

  Raises:
    FileNotFoundError: If there is no checkpoint.
    ValueError: If it does not fit the model.
  """
  found = stored_model.load(config, checkpoint)
  print(found.reports, flush=True)
  return Predictor(config, found.classes, found.model, verbose)


class Predictor:
  """A model that is called on images, or, if it is of videos, tracks in clips.

  An answer is a function of the image, the settings, the seed and the index;
  not of the images that are predicted with it.

  Attributes:
    config: The experiment. Calls take from its section `evaluation` what they
      do not state.
    classes: The classes.
    model: The network.
  """

  def __init__(
    self,
    config: base.Experiment,
    classes: classes_lib.ClassTable,
    model: pix2seq_d.Pix2SeqD,
    verbose: bool = True,
  ):
    """Compiles nothing yet; see `load` and `create`.

    Args:
      config: The experiment.
      classes: The classes of the weights.
      model: The network, with its weights.
      verbose: Whether to say in a line when a call compiles.
    """
    self.config, self.classes, self.model = config, classes, model
    self._programs = programs.Programs(config, model, verbose)

  def __call__(
    self,
    image: Any,
    *,
    steps: int | None = None,
    td: float | None = None,
    seed: int | None = None,
    sampler: str | None = None,
    samples: int | None = None,
    min_segment_pixels: int | None = None,
    index: int | Sequence[int] = 0,
    given: maps.PanopticMap | Sequence[maps.PanopticMap | None] | None = None,
  ) -> Any:
    """Segments an image, or several in batches of `evaluation.batch_size`.

    The first call compiles, and so do other steps, td or samplers, and longer
    lists; images of other sizes do not.

    Args:
      image: A path, which may be remote; an image of Pillow; or uint8
        `[h, w, 3]`, RGB. Or a list of these.
      steps: Of the sampler; this and the following: None for the experiment's.
      td: Asymmetric time interval of the sampler.
      seed: Of the noise.
      sampler: 'ddim', or another name of `diffusion.SAMPLERS`.
      samples: Number of answers to each image, which have noise of their own.
        The first is the only one of a single sample. None: one answer, the
        medoid of `evaluation.samples`. Where there are several, segments have
        scores.
      min_segment_pixels: Smaller segments become void.
      index: Number of the image, on which the noise depends, too; or, for a
        list, one of each. `--mode=predict` counts the images of a folder from
        0: `range(len(images))`.
      given: What is known of the map, void elsewhere; or, for a list, one of
        each, None where nothing is. It is kept and completed: see
        `completion.complete`.

    Returns:
      A `result.Prediction`; for several samples a list of them. For a list of
      images, a list of what each alone gives.

    Raises:
      FileNotFoundError: If there is no such image.
      ValueError: If an image or a setting is wrong, or the model is of videos.
    """
    if self._is_of_videos:
      raise ValueError(
        'this model is of videos: call predictor.track(frames), where a single '
        'image is a clip of one frame'
      )
    chosen = settings.choose(
      self.config, steps, td, seed, sampler, min_segment_pixels
    )
    count = settings.check_samples(samples, self.config.evaluation.samples)
    several = isinstance(image, (list, tuple))
    images = list(image) if several else [image]
    if not images:
      raise ValueError('the list of images is empty: give one or more')
    numbers = settings.indices(index, len(images))
    inputs = [
      self._programs.input_of(
        image_files.as_array(one, f'image {i}' if several else 'the image')
      )
      for i, one in enumerate(images)
    ]
    known = known_maps.of_images(
      given, inputs, self.config, chosen.rule, self.classes
    )
    rows = list(map(programs.Row, inputs, numbers, known))
    label_maps = self._programs.label_maps(
      rows, chosen.sampler, chosen.seed, count
    )
    answers: list[Any] = []
    for row, label_map in zip(rows, label_maps, strict=True):
      to_segments = known_maps.decoder(row, chosen.rule, self.classes)
      if samples is None or count == 1:
        always = row.known.model_ids if row.known else ()
        answer = scorer.answer_of(label_map, self.config, to_segments, always)
        answers.append(self._prediction(row.image, *answer))
      else:
        found = answers_lib.scored(list(map(to_segments, label_map)))
        answers.append([self._prediction(row.image, *one) for one in found])
    return answers if several else answers[0]

  def trajectory(
    self,
    image: Any,
    *,
    steps: int | None = None,
    td: float | None = None,
    seed: int | None = None,
    sampler: str | None = None,
    min_segment_pixels: int | None = None,
    index: int = 0,
    given: maps.PanopticMap | None = None,
    shown: Sequence[int] | None = None,
  ) -> trajectory_lib.Trajectory:
    """How the sampler arrives at the answer to an image.

    Args:
      image: As for `__call__`, and so the others; for a model of videos it is
        the first frame of a clip.
      steps: See there.
      td: See there.
      seed: See there.
      sampler: See there.
      min_segment_pixels: See there.
      index: See there.
      given: See there.
      shown: The numbers of the steps to return, from 1 on; None: 1, 2, 4, 8,
        16 and the last.

    Returns:
      The predictions after these steps; that after the last is the answer, or
      the first of several.

    Raises:
      FileNotFoundError: If there is no such image.
      ValueError: If the image or a setting is wrong.
    """
    chosen = settings.choose(
      self.config, steps, td, seed, sampler, min_segment_pixels
    )
    if given is not None and self._is_of_videos:
      raise ValueError('given is for images, but this model is of videos')
    pixels = self._programs.input_of(image_files.as_array(image, 'the image'))
    (known,) = known_maps.of_images(
      given, [pixels], self.config, chosen.rule, self.classes
    )
    (number,) = settings.indices(index, 1)
    number = 0 if self._is_of_videos else number
    row = programs.Row(pixels, number, known)
    numbers = settings.shown_steps(
      shown, settings.steps_of_first(self.config, chosen.sampler)
    )
    found = self._programs.trajectory(row, chosen.sampler, chosen.seed)
    to_segments = known_maps.decoder(row, chosen.rule, self.classes)
    predictions = [
      self._prediction(pixels, to_segments(found[n - 1])) for n in numbers
    ]
    return trajectory_lib.Trajectory(numbers, predictions)

  def track(
    self,
    frames: Iterable[Any] | str | os.PathLike,
    *,
    steps: int | None = None,
    td: float | None = None,
    seed: int | None = None,
    sampler: str | None = None,
    min_segment_pixels: int | None = None,
    first_mask: maps.PanopticMap | None = None,
  ) -> Iterator[result.Prediction]:
    """Segments the frames of a clip as they come, and tracks the objects.

    Memory does not grow with the length of an iterator. The clip is not split:
    `evaluation.video.max_frames` refuses a longer one where
    `evaluation.video.split` is false.

    Args:
      frames: Images as for `__call__`, in order and of one size. Those of a
        list are all read before the first is segmented. Or the path of a video
        file, which is read frame by frame.
      steps: As for `__call__`, and so the others. First frames take
        `evaluation.video.first_frame_steps`, if the experiment has such.
      td: See there.
      seed: See there.
      sampler: See there.
      min_segment_pixels: See there.
      first_mask: The map of the first frame, if it is known: the answer to that
        frame, whose objects are followed. See `videos.follow`.

    Returns:
      A `result.Prediction` for each frame; an id is the same object in all.

    Raises:
      FileNotFoundError: If there is no such frame.
      ValueError: If a frame or a setting is wrong, or the model is of images.
    """
    if not self._is_of_videos:
      raise ValueError(
        'this model is of images, each by itself: call predictor(image), or '
        'predictor(images) with a list'
      )
    if isinstance(frames, (str, os.PathLike)):
      if video_file.is_video(frames, of_clip=True):
        frames = video_file.Reader(frames)
    if isinstance(frames, (str, os.PathLike, Mapping)) or not hasattr(
      frames, '__iter__'
    ):
      raise ValueError(
        f'frames are of the type {type(frames).__name__}: give a list or an '
        'iterator of images, such as their paths in order, or the path of a '
        f'video, which ends in {", ".join(video_file.ENDINGS)}'
      )
    chosen = settings.choose(
      self.config, steps, td, seed, sampler, min_segment_pixels
    )
    if first_mask is not None:
      videos.check_follows(self.config)
    if isinstance(frames, Sequence):
      for _ in image_files.as_frames(frames, self._most_frames):
        pass
    return self._track(frames, chosen, first_mask)

  def _track(self, frames, chosen, first_mask) -> Iterator[result.Prediction]:
    pixels = image_files.as_frames(frames, self._most_frames)
    images = map(self._programs.input_of, pixels)
    past = None
    if first_mask is not None:
      image = next(images)
      known = known_maps.of_image(
        first_mask,
        image,
        self.config,
        chosen.rule,
        self.classes,
        'the first mask',
      )
      answer = completion.as_answer(known, chosen.rule, self.classes)
      yield self._prediction(image, answer)
      past = known.label_map
    found = self._programs.stream(images, chosen.sampler, chosen.seed, past)
    for image, label_map in found:
      row = programs.Row(image, 0)
      to_segments = known_maps.decoder(row, chosen.rule, self.classes)
      yield self._prediction(image, to_segments(label_map))

  @property
  def _is_of_videos(self) -> bool:
    return self.config.task == 'video'

  @property
  def _most_frames(self) -> int:
    """Of a clip; 0: no limit."""
    limit = self.config.evaluation.video
    return 0 if limit.split else limit.max_frames

  def _prediction(
    self,
    image: programs.Input,
    panoptic_map: maps.PanopticMap,
    scores: Mapping[int, float] | None = None,
  ) -> result.Prediction:
    return result.Prediction(
      image.pixels,
      panoptic_map,
      self.classes,
      self.config.model.max_instances,
      self._is_of_videos,
      scores or {},
    )
