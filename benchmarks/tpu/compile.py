"""Compiles exported programs for TPUs, without one, and says what they take.

  PYTHON -m benchmarks.tpu.compile --chip=v5e FILE.hlo ...

PYTHON is of an environment with benchmarks/tpu/requirements.txt, which holds
the compiler (libtpu) and JAX, whose topologies stand for chips that are not
there. A line of JSON for each file: bytes of arguments, and of temporaries at
their peak. Code for the large networks takes the compiler a quarter of an hour;
its schedule, which decides the memory, is there after a minute or two, and with
--until=schedule the compilation ends there.
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
      [sys.executable, __file__, '--here', f'--chip={chip}', path],
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
    return {'stage': 'schedule', **found, **schedule_memory(schedule)}
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


# ---- The memory of a schedule. ----

_BYTES = {
  **dict.fromkeys(('pred', 's8', 'u8'), 1),
  **dict.fromkeys(('bf16', 'f16', 's16', 'u16'), 2),
  **dict.fromkeys(('f32', 's32', 'u32'), 4),
  **dict.fromkeys(('f64', 's64', 'u64'), 8),
}
_SHAPE = re.compile(r'(\w+)\[([\d,]*)\](?:\{([\d,]*)(?::([^}]*))?\})?')
_LINE = re.compile(r'^\s+(?:ROOT )?%([\w.\-]+) = (.*?) ([\w\-]+)\((.*)$')
# Results that are their operands.
_SHARED = {
  *('bitcast', 'get-tuple-element', 'tuple', 'while', 'opt-barrier'),
  *('copy-done', 'async-done', 'slice-done', 'async-update'),
}


def _size(match: re.Match) -> int:
  """Bytes in the large memory (HBM), padded to tiles; 0 if it is elsewhere."""
  kind, axes, order, layout = match.groups()
  if kind not in _BYTES or re.search(r'S\([1-9]', layout or ''):
    return 0
  sizes = [int(n) for n in axes.split(',') if n]
  # From the slowest to the fastest axis, as they lie in memory.
  sizes = [sizes[int(n)] for n in reversed((order or '').split(',')) if n]
  tile = re.search(r'T\(([\d,]+)\)', layout or '')
  if tile:
    of_tile = [int(n) for n in tile[1].split(',')]
    for i, n in zip(range(1, len(sizes) + 1), reversed(of_tile), strict=False):
      sizes[-i] = -(-sizes[-i] // n) * n
  total = _BYTES[kind]
  for n in sizes:
    total *= n
  return total


def schedule_memory(text: str) -> dict[str, int]:
  """Memory of a scheduled module: a value lives until its last use.

  Args:
    text: HLO, whose instructions stand in the order in which they run.

  Returns:
    'argument_bytes' and 'temporary_bytes', at their peak.
  """
  entry = text[text.index('\nENTRY ') :].split('\n}')[0]
  buffers: dict[str, dict[str, int]] = {}  # By result: its parts, with bytes.
  elements: dict[str, list[dict[str, int]]] = {}  # Of tuples.
  last: dict[str, int] = {}
  born: dict[str, tuple[int, int]] = {}
  arguments = 0
  lines = [m for line in entry.splitlines() if (m := _LINE.match(line))]
  for time_, match in enumerate(lines):
    name, shape, op, rest = match.groups()
    operands = re.findall(r'%([\w.\-]+)', rest.split('), ')[0])
    for operand in operands:
      for part in buffers.get(operand, ()):
        last[part] = time_
    sizes = [_size(m) for m in _SHAPE.finditer(shape)]
    if op == 'parameter':
      arguments += sum(sizes)
      continue
    if op in _SHARED:
      shared = [buffers.get(operand, {}) for operand in operands]
      buffers[name] = {k: v for parts in shared for k, v in parts.items()}
      if op == 'tuple':
        elements[name] = shared
      elif operands and operands[0] in elements:
        if op == 'get-tuple-element':
          index = rest.rpartition('index=')[2].split(',')[0].strip()
          buffers[name] = elements[operands[0]][int(index)]
        else:
          elements[name] = elements[operands[0]]
      continue
    if op == 'fusion' and 'dynamic-update-slice' in name and operands:
      buffers[name] = buffers.get(operands[0], {})  # In place.
      continue
    if op.endswith('-start'):
      sizes = sizes[:1]  # The others are the operand and a context.
    parts = {f'{name}#{i}': size for i, size in enumerate(sizes) if size}
    for part, size in parts.items():
      born[part], last[part] = (time_, size), time_
    buffers[name] = parts
    if shape.startswith('('):
      elements[name] = [
        {part: parts[part]} if (part := f'{name}#{i}') in parts else {}
        for i in range(len(sizes))
      ]
  changes = [0] * (len(lines) + 1)
  for part, (time_, size) in born.items():
    changes[time_] += size
    changes[last[part] + 1] -= size
  live = peak = 0
  for change in changes:
    live += change
    peak = max(peak, live)
  return {'argument_bytes': arguments, 'temporary_bytes': peak}


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
