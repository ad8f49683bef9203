"""What to look at after a run, and what to try next."""

import os
import shlex

import tensorflow as tf

from configs import base
from panoptic import files
from training import log
from training import strategy as strategy_lib
from training.run_folder import curves, training_log

_FOUND = (
  ('metrics.jsonl', 'scores'),
  ('eval.jsonl', 'scores of --mode=eval'),
  ('runs.jsonl', 'scores of each of its runs'),
  ('results/per_class.json', 'scores by class'),
  ('pictures', 'predictions and ground truth'),
  (curves.FILE, 'losses and scores over the steps'),
  (training_log.FILE, 'values of every log step'),
  ('best', 'the checkpoint with the highest score'),
)


def log_lines(
  config: base.Experiment,
  strategy: tf.distribute.Strategy,
  model_dir: str,
  checkpoint: str = '',
  is_scored: bool = True,
) -> None:
  """Logs the chief's lines: what is in the folder, and commands to go on.

  Args:
    config: The experiment.
    strategy: Decides whether this process is the chief.
    model_dir: Folder of the run.
    checkpoint: The weights, where they are not the newest of the folder.
    is_scored: Whether they were evaluated just now.
  """
  if not strategy_lib.is_chief(strategy):
    return
  found = [
    (os.path.join(model_dir, name), what)
    for name, what in _FOUND
    if files.exists(os.path.join(model_dir, name))
  ]
  width = max([0, *(len(path) for path, _ in found)])
  log.log('The run has:')
  for path, what in found:
    log.log(f'  {path:{width}}  {what}')
  log.log('Next:')
  weights = f'--model_dir={shlex.quote(model_dir)}'
  if not is_scored:
    log.log(f'  python main.py --mode=eval {weights}')
  if checkpoint:
    weights = f'--checkpoint={shlex.quote(checkpoint)}'
  if not config.model.unconditional:  # Such a model sees no image.
    given = 'frames' if config.task == 'video' else 'images'
    log.log(
      f'  python main.py --mode=predict {weights} --input={given} --output=out'
    )
  log.log(f'  tensorboard --logdir={shlex.quote(model_dir)}')
