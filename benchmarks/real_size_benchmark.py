"""Runs the paper's experiments at their real size: a step, and two images.

  python -m benchmarks.real_size_benchmark --coco=COCO --kitti_step=KITTI \
    --davis=DAVIS

Each is a run of main.py in a process of its own: one training step with one
image, a checkpoint, and the evaluation of two images or frames. Images are
those of the given official folders; those of Cityscapes are drawn, at its size.
Prints seconds, and the most memory that the process held.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from absl import app, flags
from PIL import Image

from benchmarks import paper
from configs import base, loading
from panoptic.console import command_line

_EXPERIMENTS = flags.DEFINE_multi_string(
  'of', ['all'], "Experiments, or 'all' of the paper."
)
_FOLDERS = {
  'coco_panoptic': command_line.define_path(
    'coco', '', 'COCO, with panoptic maps.'
  ),
  'kitti_step': command_line.define_path('kitti_step', '', 'KITTI-STEP.'),
  'davis': command_line.define_path('davis', '', 'DAVIS 2017.'),
}
_RECOMPUTE = flags.DEFINE_bool('recompute', True, 'training.recompute.')
_FRAMES = 2
_CITYSCAPES = (1024, 2048)


def draw_cityscapes(root: pathlib.Path) -> None:
  """Writes an official tree of two images a split, of rectangles."""
  random = np.random.default_rng(0)
  rows, columns = _CITYSCAPES
  for split in ('train', 'val'):
    for number in range(_FRAMES):
      stem = f'drawn/drawn_00000{number}_000000'
      ids = np.full(_CITYSCAPES, 7, np.uint16)  # Road.
      ids[: rows // 3] = 23  # Sky.
      for car in range(10):
        y, x = random.integers(rows - 200), random.integers(columns - 300)
        ids[y : y + 200, x : x + 300] = 26000 + car
      pixels = random.integers(0, 256, [rows // 8, columns // 8, 3], np.uint8)
      image = Image.fromarray(pixels).resize((columns, rows))
      for kind, name, content in (
        ('leftImg8bit', 'leftImg8bit', image),
        ('gtFine', 'gtFine_instanceIds', Image.fromarray(ids)),
      ):
        path = root / kind / split / f'{stem}_{name}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        content.save(path)


def first_frames(source: pathlib.Path, root: pathlib.Path) -> None:
  """A tree of links to an official folder of videos, with their first frames.

  Args:
    source: Folder of KITTI-STEP or DAVIS.
    root: Where the links go.
  """
  for folder, _, names in os.walk(source):
    here = root / os.path.relpath(folder, source)
    here.mkdir(parents=True, exist_ok=True)
    frames = {'.png', '.jpg'} >= {os.path.splitext(name)[1] for name in names}
    for name in sorted(names)[: _FRAMES if frames else None]:
      (here / name).symlink_to(os.path.join(os.path.abspath(folder), name))


def command(
  name: str, config: base.Experiment, folder: str, run: str, recompute: bool
) -> list[str]:
  """The command line of a run."""
  overrides = {
    'data.dir': folder,
    'data.eval_examples': 1 if config.task == 'video' else _FRAMES,
    'training.steps': 1,
    'training.batch_size': 1,
    'training.recompute': str(recompute).lower(),
    'training.init_checkpoint': '[]',
    'optimizer.accumulation_steps': 1,
    'optimizer.warmup_steps': 0,
    'evaluation.batch_size': 1,
    'evaluation.num_visualized': 0,
    'evaluation.video.first_frame_steps': 0,
  }
  fields = ','.join(f'{key}={value}' for key, value in overrides.items())
  return [
    *(sys.executable, 'main.py', '--mode=train_and_eval'),
    *(f'--experiment={name}', f'--model_dir={run}'),
    f'--params_override={fields}',
  ]


def measure(name: str, recompute: bool) -> str:
  """Runs an experiment; returns its row of the table."""
  config = loading.load(name)
  with tempfile.TemporaryDirectory() as scratch:
    drawn = pathlib.Path(scratch) / 'data'
    folder = str(drawn)
    if config.data.name == 'cityscapes':
      draw_cityscapes(drawn)
    else:
      given = _FOLDERS[config.data.name].value
      if not given:
        return f'| {name} | not run: no --{_FOLDERS[config.data.name].name} | |'
      if config.task == 'video':
        first_frames(pathlib.Path(given), drawn)
      else:
        folder = os.path.abspath(given)
    start = time.monotonic()
    process = subprocess.Popen(
      command(name, config, folder, f'{scratch}/run', recompute),
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      text=True,
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
  if status:
    return f'| {name} | {output.strip().splitlines()[-1]} | |'
  return f'| {name} | {usage.ru_maxrss / 2**20:.1f} | {seconds:.0f} |'


def main(argv) -> None:
  """Prints the table."""
  del argv
  print('| experiment | GiB at most | seconds |\n|---|---|---|', flush=True)
  for name in paper.chosen(_EXPERIMENTS.value):
    print(measure(name, _RECOMPUTE.value), flush=True)


if __name__ == '__main__':
  app.run(main)
