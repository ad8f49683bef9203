"""Compiles exported programs for TPUs, without one, and says what they take.

  PYTHON -m benchmarks.tpu.compile --chip=v5e FILE.hlo ...

PYTHON is the one of an environment with benchmarks/tpu/requirements.txt: the
compiler (libtpu), and JAX, which describes chips that are not there. Prints a
line of JSON for each file: bytes of arguments, and of temporaries at their
peak. For a large network the compiler takes a quarter of an hour; but its
schedule, which decides the memory, is there after a minute or two, and
--until=schedule ends the compilation there.
"""

import argparse
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import time

from benchmarks.tpu import schedule as schedule_lib

# Topologies of four chips, the smallest that the compiler knows of all.
TOPOLOGIES = {
  'v4': 'v4:2x2x1',
  'v5e': 'v5e:2x2',
  'v5p': 'v5p:2x2x1',
  'v6e': 'v6e:2x2',
}
_SCHEDULE = '*-TLP-hlo.txt'
_MISFIT = re.compile(r'Used ([\d.]+[KMGT]) of ([\d.]+[KMGT]) hbm')


def compile_program(path: str, chip: str) -> dict:
  """Compiles in this process, to the end.

  Args:
    path: Of the HLO; the description is beside it.
    chip: One of `TOPOLOGIES`.

  Returns:
    'argument_bytes' and 'temporary_bytes', or 'error'.
  """
  import numpy as np
  from jax._src.interpreters import mlir
  from jax._src.lib import _jax, xla_client
  from jax._src.lib.mlir import ir
  from jax.experimental import topologies

  with open(path, 'rb') as file:
    text = _jax.mlir.hlo_to_stablehlo(file.read())
  with open(path.removesuffix('.hlo') + '.json') as file:
    about = json.load(file)
  topology = topologies.get_topology_desc(
    platform='tpu', topology_name=TOPOLOGIES[chip]
  )
  device = topology.devices[0]
  options = xla_client.CompileOptions()
  options.device_assignment = xla_client.DeviceAssignment.create(
    np.array([[device.id]])
  )
  with mlir.make_ir_context():
    module = ir.Module.parse(text)
    main = next(op for op in module.body.operations if _name(op) == 'main')
    _donate(ir, main, about['written'])
    try:
      program = device.client.compile(
        module,
        executable_devices=_jax.DeviceList((device,)),
        compile_options=options,
      )
    except Exception as error:
      misfit = _MISFIT.search(str(error))
      if misfit:
        return {'error': f'takes {misfit[1]} of {misfit[2]}'}
      return {'error': str(error)[:2000]}
  found = program.get_compiled_memory_stats()
  return {
    'argument_bytes': found.argument_size_in_bytes,
    'temporary_bytes': found.temp_size_in_bytes,
  }


def _name(op) -> str:
  return str(op.attributes['sym_name']).strip('"')


def _donate(ir, main, written: list[int]) -> None:
  """New values of variables, the last results, take their arguments' place."""
  first = len(main.type.results) - len(written)
  attributes = []
  for i in range(len(main.type.inputs)):
    of_argument = {}
    if i in written:
      number = ir.IntegerType.get_signless(32)
      of_argument['tf.aliasing_output'] = ir.IntegerAttr.get(
        number, first + written.index(i)
      )
    attributes.append(ir.DictAttr.get(of_argument))
  main.attributes['arg_attrs'] = ir.ArrayAttr.get(attributes)


def in_own_process(path: str, chip: str, until: str, keep: str = '') -> dict:
  """Compiles in another process: the compiler ends its process on an error.

  Args:
    path: Of the HLO.
    chip: One of `TOPOLOGIES`.
    until: 'code', or 'schedule': then the process is stopped.
    keep: Folder for the text of the schedule; '': nowhere.

  Returns:
    As `compile_program`, with 'stage' and 'seconds'.
  """
  start = time.monotonic()
  with tempfile.TemporaryDirectory() as dump:
    environment = {
      **os.environ,
      'TPU_SKIP_MDS_QUERY': '1',
      'JAX_PLATFORMS': 'cpu',
      'TPU_STDERR_LOG_LEVEL': '3',
      'TPU_MIN_LOG_LEVEL': '3',
    }
    if until == 'schedule':
      environment['LIBTPU_INIT_ARGS'] = (
        f'--xla_jf_dump_to={dump} --xla_jf_dump_hlo_text=true '
        '--xla_jf_dump_llo_text=false'
      )
    process = subprocess.Popen(
      [
        *(sys.executable, '-m', 'benchmarks.tpu.compile', '--here'),
        *(f'--chip={chip}', path),
      ],
      env=environment,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    schedule = _wait_for_schedule(process, dump)
    out, problems = process.communicate()
  found: dict = {'seconds': round(time.monotonic() - start)}
  if schedule is not None and keep:
    name = os.path.basename(path).removesuffix('.hlo')
    with open(os.path.join(keep, f'{name}-{chip}.txt'), 'w') as file:
      file.write(schedule)
  if schedule is not None:
    return {'stage': 'schedule', **found, **schedule_lib.memory(schedule)}
  if process.returncode:
    return {'error': problems[-2000:], **found}
  return {'stage': 'code', **found, **json.loads(out.splitlines()[-1])}


def _wait_for_schedule(process: subprocess.Popen, dump: str) -> str | None:
  """Stops a process when it has written its schedule; None if it ends first."""
  size = -1
  while process.poll() is None:
    time.sleep(1)
    for path in glob.glob(os.path.join(dump, _SCHEDULE)):
      now = os.path.getsize(path)
      if now == size:  # It is written whole.
        process.kill()
        with open(path) as file:
          return file.read()
      size = now
  return None


def main() -> None:
  """Compiles the files of the command line."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('files', nargs='+')
  parser.add_argument('--chip', choices=TOPOLOGIES, default='v5e')
  parser.add_argument('--until', choices=('schedule', 'code'), default='code')
  parser.add_argument('--keep', default='', help='folder for schedules')
  parser.add_argument('--here', action='store_true', help='in this process')
  args = parser.parse_args()
  for path in args.files:
    if args.here:
      found = compile_program(path, args.chip)
    else:
      found = in_own_process(path, args.chip, args.until, args.keep)
      name = os.path.basename(path).removesuffix('.hlo')
      found = {'program': name, 'chip': args.chip, **found}
    print(json.dumps(found), flush=True)


if __name__ == '__main__':
  main()
