"""Scores a folder of written video masks, as the official tools would.

  python -m metrics.video_files --format=davis_unsupervised \
    --gt_folder=DAVIS/Annotations_unsupervised/480p --pred_folder=result \
    --sequences=DAVIS/ImageSets/2017/val.txt

  python -m metrics.video_files --format=kitti_step \
    --gt_folder=panoptic_maps/val --pred_folder=result

Both folders hold one folder for each sequence, and in it one PNG for each
frame, by the same names in both, in the data set's format (see `panoptic.png`).
Sequences and frames without ground truth are left out. Prints J&F for DAVIS;
STQ and VPQ, with crowd as COCO and as DeepLab2 treat it, for KITTI-STEP.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from absl import app, flags

from data import registry
from metrics import clip_folders, j_and_f, metric, stq, tube_metric, vpq
from panoptic import classes, png
from panoptic.console import command_line


class Format(NamedTuple):
  """How a data set's result is scored.

  Attributes:
    dataset: The data set, which owns the format of the files.
    make: Makes the metric from the classes and `max_frames`.
    title: Of the metric; '' if its details are those of several metrics.
    inner_frames_only: The first and the last frame need no prediction.
  """

  dataset: str
  make: Callable[[classes.ClassTable, int | None], metric.Metric]
  title: str = ''
  inner_frames_only: bool = False


def _j_and_f(task: str) -> Callable[..., metric.Metric]:
  return lambda table, max_frames: j_and_f.JAndF(task, max_frames=max_frames)


def _stq_and_vpq(
  table: classes.ClassTable, max_frames: int | None
) -> metric.Metric:
  arguments: dict[str, Any] = {
    'categories': table.categories,
    'max_frames': max_frames,
  }
  return tube_metric.Several(
    {
      'STQ': stq.SegmentationTrackingQuality(**arguments),
      'VPQ': vpq.VideoPanopticQuality(**arguments),
      'VPQ, crowd as segment': vpq.VideoPanopticQuality(
        **arguments, crowd_is_segment=True
      ),
    }
  )


FORMATS = {
  'davis_unsupervised': Format('davis', _j_and_f('unsupervised'), 'J&F'),
  'davis_semi_supervised': Format(
    'davis', _j_and_f('semi-supervised'), 'J&F', inner_frames_only=True
  ),
  'kitti_step': Format('kitti_step', _stq_and_vpq),
}


def score(
  format_name: str,
  gt_folder: str | os.PathLike,
  pred_folder: str | os.PathLike,
  sequences: Sequence[str] | None = None,
  workers: int = 1,
  max_frames: int | None = None,
) -> dict[str, Any]:
  """Scores a result. All names and headers are checked before any decoding.

  Args:
    format_name: One of `FORMATS`.
    gt_folder: Ground truth.
    pred_folder: The result.
    sequences: Names; by default all folders of the ground truth.
    workers: Threads, each with a sequence. The figures are the same whatever
      their number.
    max_frames: Allowed in one sequence; None for any number.

  Returns:
    The details of each metric by its name.

  Raises:
    FileNotFoundError: If a file or folder is missing.
    ValueError: If there is no such format, or the input is malformed (see
      `clip_folders` and the metrics).
  """
  if format_name not in FORMATS or workers < 1:
    raise ValueError(
      f'format {format_name!r} with {workers} workers cannot be scored; give '
      f'one of {", ".join(FORMATS)} and at least one worker'
    )
  form = FORMATS[format_name]
  clips = clip_folders.find_frames(
    gt_folder, pred_folder, sequences, form.inner_frames_only
  )
  labels = registry.get_files(form.dataset)
  table = labels.classes
  assert table is not None  # All of these data sets have official classes.
  for sequence, frames in clips.items():
    _check_headers(sequence, frames, labels.encoding, max_frames)

  def score_sequence(sequence):
    part = form.make(table, max_frames)
    for frame in clips[sequence]:
      prediction: Any = None  # J&F needs none in some frames.
      if frame.prediction is not None:
        prediction = labels.read_labels(frame.prediction)
      truth = labels.read_labels(frame.ground_truth)
      part.update(truth, prediction, sequence, frame.name)
    return part

  total = form.make(table, max_frames)
  details = metric.score_parts(total, score_sequence, clips, workers).details()
  return {form.title: details} if form.title else details


def _check_headers(
  sequence: str,
  frames: Sequence[clip_folders.Frame],
  encoding: png.Encoding,
  max_frames: int | None,
) -> None:
  if max_frames is not None and len(frames) > max_frames:
    raise ValueError(
      f'sequence {sequence} has {len(frames)} frames, and {max_frames} are '
      'allowed; split the sequence or raise max_frames'
    )
  first = png.size_of(frames[0].ground_truth, encoding)
  for frame in frames:
    for path in frame[1:]:
      size = first if path is None else png.size_of(path, encoding)
      if size != first:
        raise ValueError(
          f'{path} is {list(size)} and {frames[0].ground_truth} '
          f'{list(first)} pixels; resize all frames of a sequence, and their '
          'predictions, to the size of its ground truth'
        )


def format_tables(results: Mapping[str, Any]) -> str:
  """Formats the results of `score` as tables, in percent."""
  lines = []
  for name, result in results.items():
    if name == 'J&F':
      rows = result['per_sequence'] | {'all': result['global']}
      keys = [key for key in result['global'] if key != 'objects']
    elif name == 'STQ':
      rows = result['per_sequence'] | {'all': result}
      keys = ['STQ', 'AQ', 'SQ']
    else:
      rows = {
        f'k = {k}': {group: row[group]['pq'] for group in result['VPQ']}
        for k, row in result['per_length'].items()
      } | {'mean': result['VPQ']}
      keys = list(result['VPQ'])
      lines += ['', name]
    width = max(12, *(len(row) + 2 for row in rows))
    lines.append(' ' * width + ''.join(f'{key:>10}' for key in keys))
    lines += [
      f'{row:{width}}' + ''.join(f'{100 * figures[key]:10.2f}' for key in keys)
      for row, figures in rows.items()
    ]
  return '\n'.join(lines)


def _define_flags() -> None:
  # Not at import: other programs that use this module have their own flags.
  flags.DEFINE_enum(
    'format', None, list(FORMATS), 'Data set and task.', required=True
  )
  command_line.define_path('gt_folder', None, 'Ground truth.', required=True)
  command_line.define_path('pred_folder', None, 'The result.', required=True)
  command_line.define_path(
    'sequences', None, 'Text file of sequences; all if none.'
  )
  flags.DEFINE_integer('workers', os.cpu_count(), 'Threads.', lower_bound=1)
  flags.DEFINE_integer(
    'max_frames', None, 'Allowed in one sequence; any number if not given.'
  )


def _run() -> None:
  values = flags.FLAGS
  names = None
  if values.sequences is not None:
    names = clip_folders.read_sequences(values.sequences)
  results = score(
    values.format,
    values.gt_folder,
    values.pred_folder,
    names,
    values.workers,
    values.max_frames,
  )
  print(format_tables(results))


def main(argv: Sequence[str]) -> None:
  """Prints the tables."""
  command_line.run(argv, _run, prefix='error')


if __name__ == '__main__':
  _define_flags()
  app.run(main)
