"""Finds the files of videos: a folder a sequence, and in it a PNG a frame."""

import os
import pathlib
import sys
from collections.abc import Sequence
from typing import NamedTuple

from panoptic import files as files_lib
from panoptic import natural_order


class Frame(NamedTuple):
  """The two files of a frame; the prediction is None where it is not needed."""

  name: str
  ground_truth: pathlib.Path
  prediction: pathlib.Path | None


def read_sequences(path: str | os.PathLike) -> list[str]:
  """Reads a list of sequences, one a line, as DAVIS' ImageSets.

  Raises:
    FileNotFoundError: If there is no such file.
    ValueError: If it names no sequence, or one twice.
  """
  if not os.path.isfile(path):
    raise FileNotFoundError(
      f'{path} is missing; give a text file with a sequence on each line'
    )
  names = files_lib.read_text(path).split()
  if not names or len(set(names)) < len(names):
    raise ValueError(
      f'{path} lists {len(names)} sequences, {len(set(names))} of them '
      'different; list at least one, and each once'
    )
  return names


def find_frames(
  gt_folder: str | os.PathLike,
  pred_folder: str | os.PathLike,
  sequences: Sequence[str] | None = None,
  inner_frames_only: bool = False,
) -> dict[str, list[Frame]]:
  """Pairs the files of two folders.

  Args:
    gt_folder: Ground truth.
    pred_folder: The result.
    sequences: Names; by default all folders of the ground truth.
    inner_frames_only: The first and the last frame may lack a prediction.

  Returns:
    The frames of each sequence, in order; see `natural_order.frames`. A line on
    the error stream tells of numbers that are missing.

  Raises:
    FileNotFoundError: If a folder or a predicted frame is missing.
    ValueError: If there is no sequence, if one has no frames, or if their order
      is not clear.
  """
  for folder in (gt_folder, pred_folder):
    _check_folder(folder, 'give a folder of sequences')
  if sequences is None:
    sequences = natural_order.in_order(
      p.name for p in pathlib.Path(gt_folder).iterdir() if p.is_dir()
    )
  if not sequences:
    raise ValueError(
      f'{gt_folder} has no sequences; give the folder that holds a folder for '
      'each sequence'
    )
  found = {}
  gaps = []
  for sequence in sequences:
    gt, pred = (pathlib.Path(f, sequence) for f in (gt_folder, pred_folder))
    for folder in (gt, pred):
      _check_folder(folder, 'every sequence needs its folder of PNGs')
    names = [path.name for path in gt.glob('*.png')]
    if not names:
      raise ValueError(
        f'{gt} has no PNGs; give every sequence at least one frame'
      )
    ordered = natural_order.frames(names, str(gt))
    if ordered.gap is not None:
      gaps.append((gt, *ordered.gap))
    files = [gt / names[i] for i in ordered.order]
    predicted = [pred / p.name for p in files]
    missing = [i for i, p in enumerate(predicted) if not p.is_file()]
    ends = (0, len(files) - 1) if inner_frames_only else ()
    needed = [i for i in missing if i not in ends]
    if needed:
      raise FileNotFoundError(
        f'{predicted[needed[0]]} is missing, the first of {len(needed)} such '
        f'frames of sequence {sequence}; predict every frame of the ground '
        'truth'
      )
    found[sequence] = [
      Frame(p.stem, p, None if i in missing else predicted[i])
      for i, p in enumerate(files)
    ]
  if gaps:
    folder, before, after = gaps[0]
    print(
      f'sequences that lack frames: {len(gaps)} of {len(found)}, the first '
      f'being {folder} between {before} and {after}; the others are scored as '
      'if they followed each other',
      file=sys.stderr,
    )
  return found


def _check_folder(folder: str | os.PathLike, fix: str) -> None:
  if not os.path.isdir(folder):
    raise FileNotFoundError(f'{folder} is missing; {fix}')
