"""The memory of a program as the TPU's compiler has scheduled it."""

import re

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


def memory(text: str) -> dict[str, int]:
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
