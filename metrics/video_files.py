"""Scores a folder of written video masks, as the official tools would.

  python -m metrics.video_files --format=davis_unsupervised \
    --gt_folder=DAVIS/Annotations_unsupervised/480p --pred_folder=result \
    --sequences=DAVIS/ImageSets/2017/val.txt

  python -m metrics.video_files --format=kitti_step \
    --gt_folder=panoptic_maps/val --pred_folder=result

Both folders hold one folder for each sequence, and in it one PNG for each
frame, by the same names in both (see `video_maps`). Sequences and frames
without ground truth are left out. Prints J&F for DAVIS; STQ and VPQ, with
crowd as COCO and as DeepLab2 treat it, for KITTI-STEP.
"""

import os
import pathlib
from concurrent import futures
from typing import Any, Callable, Mapping, NamedTuple, Optional, Sequence

import numpy as np
from absl import app, flags

from metrics import clip_folders, j_and_f, stq, tubes, video_maps, vpq
from panoptic import command_line


class Format(NamedTuple):
  """How a data set's masks are read and scored.

  Attributes:
    shape: returns (height, width) of a file without decoding it.
    read: returns the map of a file.
    metrics: makes the metrics by name; its argument is `max_frames`.
    inner_frames_only: the first and the last frame need no prediction.
  """

  shape: Callable[[pathlib.Path], tuple[int, int]]
  read: Callable[[pathlib.Path], np.ndarray]
  metrics: Callable[[Optional[int]], dict[str, Any]]
  inner_frames_only: bool = False


def _davis(task: str) -> Format:
  return Format(
    video_maps.davis_shape,
    video_maps.read_davis,
    lambda limit: {'J&F': j_and_f.JAndF(task, max_frames=limit)},
    inner_frames_only=task == 'semi-supervised',
  )


def _kitti_step_metrics(max_frames: Optional[int]) -> dict[str, Any]:
  space = tubes.KITTI_STEP
  return {
    'STQ': stq.SegmentationTrackingQuality(space, max_frames),
    'VPQ': vpq.VideoPanopticQuality(space, max_frames=max_frames),
    'VPQ, crowd as segment': vpq.VideoPanopticQuality(
      space, crowd_is_segment=True, max_frames=max_frames
    ),
  }


FORMATS = {
  'davis_unsupervised': _davis('unsupervised'),
  'davis_semi_supervised': _davis('semi-supervised'),
  'kitti_step': Format(
    video_maps.kitti_step_shape,
    video_maps.read_kitti_step,
    _kitti_step_metrics,
  ),
}


def score(
  format_name: str,
  gt_folder: str | os.PathLike,
  pred_folder: str | os.PathLike,
  sequences: Optional[Sequence[str]] = None,
  workers: int = 1,
  max_frames: Optional[int] = None,
) -> dict[str, Any]:
  """Scores a result. All names and headers are checked before any decoding.

  Args:
    format_name: one of `FORMATS`.
    gt_folder: ground truth.
    pred_folder: the result.
    sequences: names; by default all folders of the ground truth.
    workers: threads, each with a sequence. The figures are the same whatever
      their number.
    max_frames: allowed in one sequence; None for any number.

  Returns:
    {metric: its result}.

  Raises:
    FileNotFoundError: a file or folder is missing.
    ValueError: there is no such format, or the input is malformed (see
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
  for sequence, frames in clips.items():
    _check_headers(sequence, frames, form, max_frames)

  def score_sequence(sequence):
    metrics = form.metrics(max_frames)
    for frame in clips[sequence]:
      gt, pred = (
        None if path is None else form.read(path) for path in frame[1:]
      )
      for metric in metrics.values():
        metric.update(gt, pred, sequence, frame.name)
    return metrics

  total = form.metrics(max_frames)
  with futures.ThreadPoolExecutor(workers) as pool:
    try:
      for metrics in pool.map(score_sequence, clips):
        for name, metric in metrics.items():
          total[name].merge(metric)
    except Exception:
      pool.shutdown(cancel_futures=True)  # Report now, not at the end.
      raise
  return {name: metric.result() for name, metric in total.items()}


def _check_headers(
  sequence: str,
  frames: Sequence[clip_folders.Frame],
  form: Format,
  max_frames: Optional[int],
) -> None:
  if max_frames is not None and len(frames) > max_frames:
    raise ValueError(
      f'sequence {sequence} has {len(frames)} frames, and {max_frames} are '
      'allowed; split the sequence or raise max_frames'
    )
  first = form.shape(frames[0].ground_truth)
  for frame in frames:
    for path in frame[1:]:
      shape = first if path is None else form.shape(path)
      if shape != first:
        raise ValueError(
          f'{path} is {list(shape)} and {frames[0].ground_truth} '
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
  flags.DEFINE_enum('format', None, list(FORMATS), 'Data set and task.')
  flags.DEFINE_string('gt_folder', None, 'Ground truth.')
  flags.DEFINE_string('pred_folder', None, 'The result.')
  flags.DEFINE_string('sequences', None, 'Text file of sequences; all if none.')
  flags.DEFINE_integer('workers', os.cpu_count(), 'Threads.', lower_bound=1)
  flags.DEFINE_integer(
    'max_frames', None, 'Allowed in one sequence; any number if not given.'
  )
  flags.mark_flags_as_required(['format', 'gt_folder', 'pred_folder'])


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
