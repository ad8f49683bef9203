"""What a traced graph costs: operations and memory, from its shapes alone."""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

# ---- Operations. ----


def flops(graph: tf.Graph) -> int:
  """Counts the operations of convolutions and products, gradients included.

  Loops count as often as they run, which their graph must say.

  Args:
    graph: A traced graph with static shapes.

  Returns:
    Floating point operations, two for each multiply-add.

  Raises:
    ValueError: Where a shape or a loop's number of turns is not static.
  """
  return sum(
    _op_flops(op)
    for op in graph.get_operations()
    if op.type in _MULTIPLY_ADDS or op.type in _CALLED
  )


def flops_of_a_turn(graph: tf.Graph) -> int:
  """Operations of a turn of the dearest loop; 0 without loops."""
  loops = [op for op in graph.get_operations() if 'While' in op.type]
  if not loops:
    return 0
  (body,) = called_graphs(max(loops, key=_op_flops))
  return flops(body)


def _op_flops(op: tf.Operation) -> int:
  if op.type in _CALLED:
    costs = [flops(graph) for graph in called_graphs(op)]
    return _turns(op) * max(costs)
  try:
    return 2 * _MULTIPLY_ADDS[op.type](op)
  except TypeError as error:
    raise ValueError(f'{op.name} has no static shapes') from error


def _convolution(data: tf.Tensor, kernel: tf.Tensor) -> int:
  """Each of its output's values, as `data`, takes a whole filter."""
  return math.prod(data.shape) * math.prod(kernel.shape[:3])


def _einsum(op: tf.Operation) -> int:
  labels = op.get_attr('equation').decode().split('->')[0].split(',')
  sizes: dict[str, int] = {}
  for axes, x in zip(labels, op.inputs, strict=True):
    sizes.update(zip(axes, x.shape, strict=True))
  return math.prod(sizes.values())


def _matmul(op: tf.Operation, transposed: str) -> int:
  inner = op.inputs[0].shape[-2 if op.get_attr(transposed) else -1]
  return math.prod(op.outputs[0].shape) * inner


_MULTIPLY_ADDS: dict[str, Callable[[tf.Operation], int]] = {
  'Conv2D': lambda op: _convolution(op.outputs[0], op.inputs[1]),
  'Conv2DBackpropInput': lambda op: _convolution(op.inputs[2], op.inputs[1]),
  'Conv2DBackpropFilter': lambda op: _convolution(op.inputs[2], op.outputs[0]),
  'MatMul': lambda op: _matmul(op, 'transpose_a'),
  'BatchMatMulV2': lambda op: _matmul(op, 'adj_x'),
  'Einsum': _einsum,
}
# Functions that an op calls, by its attributes.
_CALLED = {
  'PartitionedCall': ('f',),
  'StatefulPartitionedCall': ('f',),
  'While': ('body',),
  'StatelessWhile': ('body',),
  'If': ('then_branch', 'else_branch'),
  'StatelessIf': ('then_branch', 'else_branch'),
}


def called_graphs(
  op: tf.Operation, attributes: Sequence[str] = ()
) -> list[tf.Graph]:
  """The graphs of the functions that an operation calls.

  Args:
    op: A call, loop or branch.
    attributes: Which hold the functions; default: those that are counted.
  """
  # TensorFlow has no other way to the graph of a function.
  return [
    op.graph._get_function(op.get_attr(name).name).graph
    for name in attributes or _CALLED[op.type]
  ]


def _turns(op: tf.Operation) -> int:
  """How often a loop's body runs; 1 for other calls."""
  if 'While' not in op.type:
    return 1
  # The loops of tf.while_loop take a counter, and the number of turns.
  turns = tf.get_static_value(op.inputs[1])
  if turns is None or turns < 0:
    raise ValueError(f'{op.name} does not say how often it runs')
  return int(turns)


# ---- Memory. ----

# Their results are their first inputs.
_ALIASES = {
  *('Identity', 'Reshape', 'ExpandDims', 'Squeeze', 'StopGradient', 'Bitcast'),
  *('PreventGradient', 'EnsureShape', 'ReadVariableOp', 'IdentityN'),
}
_FREE = {
  *('Const', 'Placeholder', 'VarHandleOp', 'NoOp', 'Shape', 'ShapeN'),
  'BroadcastGradientArgs',
}

# Their results take the place of an operand that is not needed any more.
_ELEMENTWISE = {
  *('Add', 'AddV2', 'AddN', 'Sub', 'Mul', 'RealDiv', 'Neg', 'Square', 'Sqrt'),
  *('Rsqrt', 'RsqrtGrad', 'Exp', 'Log', 'Pow', 'Sigmoid', 'SigmoidGrad'),
  *('Tanh', 'TanhGrad', 'Relu', 'ReluGrad', 'Erf', 'Softplus', 'Maximum'),
  *('Minimum', 'SquaredDifference', 'SelectV2', 'BiasAdd', 'Softmax', 'Cast'),
}


def peak_bytes(
  graph: tf.Graph, fused: Callable[[tf.Operation], bool] = lambda op: False
) -> int:
  """Estimates the most memory of a graph's values at any time.

  The ops run in the order in which they were traced; a value lives until its
  last use. Inputs and variables are not counted.

  Args:
    graph: A traced graph with static shapes.
    fused: Whether an op's result is made where it is needed, and not kept.

  Returns:
    Bytes.
  """
  ops = graph.get_operations()
  buffers: dict[str, list[str]] = {}  # By tensor: those it is made from.
  sizes: dict[str, int] = {}
  born: dict[str, int] = {}
  last: dict[str, int] = {}
  inner = [0] * len(ops)
  ends: dict[str, int] = {}
  for i, op in enumerate(ops):
    needed = list(
      dict.fromkeys(b for x in op.inputs for b in buffers.get(x.name, ()))
    )
    for b in needed:
      last[b] = i
    if op.type in _CALLED:
      inner[i] = max(peak_bytes(g, fused) for g in called_graphs(op))
    for k, y in enumerate(op.outputs):
      if op.type in _FREE or y.dtype in (tf.resource, tf.variant):
        buffers[y.name] = []
      elif op.type in _ALIASES:
        x = op.inputs[k if op.type == 'IdentityN' else 0]
        buffers[y.name] = buffers.get(x.name, [])
      elif fused(op):
        buffers[y.name] = needed
      else:
        buffers[y.name] = [y.name]
        sizes[y.name] = math.prod(y.shape) * y.dtype.size
        born[y.name], last[y.name] = i, i
  # What a graph returns lives to its end.
  for y in getattr(graph, 'outputs', ()):
    for b in buffers.get(y.name, ()):
      last[b] = len(ops) - 1
  changes = [0] * (len(ops) + 1)
  for i, op in enumerate(ops):
    for y in op.outputs:
      if y.name in sizes:
        changes[born[y.name]] += sizes[y.name]
        if op.type in _ELEMENTWISE:
          for b in {b for x in op.inputs for b in buffers.get(x.name, ())}:
            if last[b] == i and sizes[b] == sizes[y.name]:
              ends[b] = i  # Its place is taken.
              break
  for name, size in sizes.items():
    changes[ends.get(name, last[name] + 1)] -= size
  live, peak = 0, 0
  for i in range(len(ops)):
    live += changes[i]
    peak = max(peak, live + inner[i])
  return peak
