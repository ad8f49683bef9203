"""`curves.png`: a run's losses and scores over its steps."""

import math
import os
from collections.abc import Sequence

import numpy as np
from PIL import Image

from panoptic import png
from panoptic.drawing import curves as curves_lib
from training.run_folder import json_lines, training_log

FILE = 'curves.png'
_MOST_SCORES = 3


def draw(model_dir: str, losses: Sequence[str], record: str) -> None:
  """Draws what `training.csv` and the record of scores hold, if anything.

  Args:
    model_dir: Folder of the run.
    losses: Columns of `training.csv`.
    record: Path of the record of scores.
  """
  charts = []
  rows = training_log.read(model_dir)
  if rows:
    steps = [row['step'] for row in rows]
    of_losses = [
      curves_lib.Curve(name, steps, [row.get(name, math.nan) for row in rows])
      for name in losses
    ]
    charts.append(curves_lib.chart('training', of_losses))
  of_scores = _scores(record)
  if of_scores:
    charts.append(curves_lib.chart('evaluation', of_scores))
  if not charts:
    return
  image = Image.fromarray(np.concatenate(charts))
  png.save(os.path.join(model_dir, FILE), image)


def _scores(record: str) -> list[curves_lib.Curve]:
  """The first scores of a record, each over the steps that have one."""
  by_step: dict[int, dict[str, float]] = {}
  for line in json_lines.read(record):
    # A step that was scored twice counts as it was scored first.
    by_step.setdefault(line['step'], line['metrics'])
  steps = sorted(by_step)
  names = list(by_step[steps[-1]])[:_MOST_SCORES] if steps else []
  return [
    curves_lib.Curve(
      name, steps, [by_step[step].get(name, math.nan) for step in steps]
    )
    for name in names
  ]
