"""`--mode=export_weights`: the weights of a run alone, in a small folder.

  README.md                 what they are, and how to use them
  experiment.yaml           the experiment
  classes.json              the classes
  metrics.jsonl             the scores of that step, as the run recorded them
  checkpoint, ckpt-<step>.* the weights; see `models.checkpoint_file`

Whatever takes a checkpoint takes the folder.
"""

import os

import tensorflow as tf

from configs import base, loading
from export import card, output_folder, stored_run
from models import checkpoint_file, checkpoints, load_report
from panoptic import files
from tasks import class_file
from training import log, reporting
from training.run_folder import json_lines


def run(
  config: base.Experiment, checkpoint: str | None, output_dir: str
) -> None:
  """Writes the averaged weights; those as trained where none are averaged.

  Args:
    config: The experiment that the model was trained with; its
      `evaluation.weights` may name the weights as trained.
    checkpoint: Prefix of a checkpoint; None for `training.init_checkpoint`.
    output_dir: The folder to write.

  Raises:
    FileExistsError: If the folder is not empty.
    FileNotFoundError: If there is no checkpoint.
    ValueError: If a checkpoint is damaged or lacks a weight of the model, or
      if a weight is not finite.
  """
  output_folder.check(output_dir, 'export_weights')
  found = stored_run.load(config, checkpoint)
  log.log(str(found.reports))
  keys = _keys(found.reports, config.evaluation.weights)
  values = {
    keys[name]: weight.numpy()
    for name, weight in checkpoints.named_weights(found.model).items()
  }
  scores = _scores(found.folder, found.step)
  name = f'ckpt-{found.step}'
  with output_folder.written(output_dir) as folder:
    prefix = os.path.join(folder, name)
    saved = checkpoint_file.save_weights(prefix, values, found.step)
    files.write_text(
      os.path.join(folder, 'checkpoint'), f'model_checkpoint_path: "{name}"\n'
    )
    loading.save(config, folder)
    class_file.save(found.classes, folder)
    for line in scores:
      json_lines.append(reporting.record(folder), line)
    shown = output_dir.rstrip('/')
    if os.path.isabs(shown) or files.is_remote(shown):
      shown = os.path.basename(shown)
    text = card.text(config, found, scores, saved, shown)
    files.write_text(os.path.join(folder, 'README.md'), text)
  if saved.whole:
    log.log(
      f'{len(saved.whole)} weights are beyond half precision and stay float32: '
      f'{load_report.summary(saved.whole)}'
    )
  log.log(
    f'{len(values)} weights of step {found.step}, {saved.size / 1e6:.1f} MB, '
    f'are in {output_dir}.'
  )


def _keys(reports: load_report.Reports, weights: str) -> dict[str, str]:
  """The keys of weights in the file, which say whether they are averages."""
  keys = {}
  for report in reports.reports:
    for name in (*report.loaded, *report.extended):
      is_average = weights == 'ema' and name not in report.online
      keys[name] = f'{"ema" if is_average else "model"}/{name}'
  return keys


def _scores(folder: str, step: int) -> list[dict]:
  """What the run of a folder recorded of a step."""
  if not folder or not tf.io.gfile.isdir(folder):
    return []
  lines = json_lines.read(reporting.record(folder))
  return [line for line in lines if line['step'] == step]
