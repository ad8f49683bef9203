"""The README.md of exported weights."""

from collections.abc import Mapping, Sequence
from typing import Any

from configs import base, loading
from export import stored_run
from models import checkpoint_file

_TEXT = """# Weights of Pix2Seq-D: {data}

Panoptic segmentation of {task} by bit diffusion ("A Generalist Framework for
Panoptic Segmentation of Images and Videos",
[arXiv 2210.06366](https://arxiv.org/abs/2210.06366)): the weights of a
training, without the state of its optimizer.

| | |
|---|---|
| data | `{data}`, split `{split}` |
| updates | {updates} |
| weights | {weights}, half precision: {count} numbers, {size:.1f} MB |
| image and mask | {image_size} and {mask_size} pixels |
| classes | {classes} ([classes.json](classes.json)) |
| all settings | [experiment.yaml](experiment.yaml) |

## Scores

{scores}

## Use

In a clone of the program, where `{folder}` is the path of this folder:

```bash
# Segments your own {input}.
python main.py --mode=predict --checkpoint={folder} --input={input} --output=out
# Scores the weights.
python main.py --mode=eval --checkpoint={folder} --model_dir=runs/scores
# Starts a training from them.
python main.py --mode=train --config_file={folder}/experiment.yaml \\
  --init_checkpoint={folder} --model_dir=runs/more
```
"""


def text(
  config: base.Experiment,
  run: stored_run.StoredRun,
  scores: Sequence[Mapping[str, Any]],
  saved: checkpoint_file.Saved,
  folder: str,
) -> str:
  """The card.

  Args:
    config: The experiment.
    run: The model.
    scores: Lines of `metrics.jsonl` of these weights.
    saved: What was written.
    folder: How the folder is called in commands.
  """
  is_video = config.task == 'video'
  is_online = config.evaluation.weights == 'online' or any(
    report.online for report in run.reports.reports
  )
  counts = [weight.shape.num_elements() for weight in run.model.weights]
  return _TEXT.format(
    data=config.data.name,
    task='videos' if is_video else 'images',
    input='frames' if is_video else 'images',
    split=config.data.train_split,
    updates=_updates(run.step, config.training.steps),
    weights='as trained' if is_online else 'moving averages (EMA)',
    count=f'{sum(counts):,}',
    size=saved.size / 1e6,
    image_size='x'.join(map(str, config.model.image_size)),
    mask_size='x'.join(map(str, config.model.mask_size)),
    classes=len(run.classes.categories),
    scores=_scores(scores, config),
    folder=folder,
  )


def _updates(step: int, planned: int) -> str:
  if not step:
    return 'not known'
  return f'{step:,} of {planned:,}' if step < planned else f'{step:,}'


def _scores(lines: Sequence[Mapping[str, Any]], config: base.Experiment) -> str:
  """A table, measured before the weights were rounded."""
  if not lines:
    return 'The run recorded no scores of these weights.'
  rows = ['| split | sampler | scores |', '|---|---|---|']
  for line in lines:
    # Old lines have no settings: the run's were theirs.
    settings = line.get('evaluation', loading.plain(config)['evaluation'])
    sampler = settings['sampler']
    found = ', '.join(
      # Names of scores have capitals; those of counts have none.
      f'{name} {value:.0f}' if name.islower() else f'{name} {value:.1f}'
      for name, value in line['metrics'].items()
    )
    rows.append(
      f'| {line.get("split", config.data.eval_split)} | {sampler["name"]}, '
      f'{sampler["steps"]} steps, td {sampler["td"]:g} | {found} |'
    )
  rows += ['', 'The run measured these before the weights were rounded.']
  return '\n'.join(rows)
