"""Writes the programs of an experiment as HLO for TPUs.

  python -m benchmarks.tpu.export --of=coco_panoptic --folder=/tmp/hlo

TensorFlow's own lowering is asked for the platform TPU; no TPU is needed, but a
TensorFlow that has the kernels (tensorflow-tpu).

`<experiment>-<program>-<precision>[-recompute]-<batch>.hlo` is the program, and
the `.json` beside it says which of its arguments it writes.
"""

import json
import os

import tensorflow as tf
import tf_keras
from absl import app, flags
from tensorflow.python.eager.polymorphic_function import compiler_ir

from benchmarks.tpu import functional, programs
from configs import loading
from panoptic.console import command_line

_EXPERIMENTS = flags.DEFINE_multi_string('of', [], 'Experiments.')
_PROGRAMS = flags.DEFINE_multi_enum(
  'program', list(programs.PROGRAMS), programs.PROGRAMS, 'Programs.'
)
_BATCH = flags.DEFINE_integer('batch', 1, 'Rows of a replica.', lower_bound=1)
_OVERRIDE = flags.DEFINE_string('params_override', '', 'Fields to change.')
_FOLDER = command_line.define_path('folder', '', 'Where to write.')


def export(found: programs.Program, path: str) -> str:
  """Writes a program; returns a line that describes it."""
  traced, variables, assigned = functional.functionalize(*found)
  hlo = compiler_ir.from_concrete_function(traced)(
    stage='hlo_serialized', platform_name='TPU'
  )
  first = len(tf.nest.flatten(found.specs))
  about = {
    'inputs': first,
    'variables': len(variables),
    'written': [first + i for i in assigned],
  }
  with open(f'{path}.hlo', 'wb') as file:
    file.write(hlo)
  with open(f'{path}.json', 'w') as file:
    json.dump(about, file)
  return (
    f'{os.path.basename(path)}: {len(hlo) / 1e6:.1f} MB, {len(variables)} '
    f'variables, {len(assigned)} of them written'
  )


def main(argv) -> None:
  del argv
  if not _FOLDER.value:
    raise app.UsageError('--folder is where to write: give one')
  os.makedirs(_FOLDER.value, exist_ok=True)
  for experiment in _EXPERIMENTS.value:
    config = loading.load(experiment, '', _OVERRIDE.value)
    for name in _PROGRAMS.value:
      file_name = programs.file_name(experiment, name, config, _BATCH.value)
      found = programs.program(config, name, _BATCH.value)
      path = os.path.join(_FOLDER.value, file_name)
      print(export(found, path), flush=True)
      tf_keras.backend.clear_session()


if __name__ == '__main__':
  app.run(main)
