"""Traced programs as functions of their variables' values.

TensorFlow lowers a program for a platform that this machine does not have, but
not one that holds variables. `functionalize` traces a program and writes it
down again, operation by operation: what it reads of a variable is an argument,
and what it assigns is a result.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from benchmarks.measuring import graph_costs

# Resource handles within a graph, by name: the variable's number.
_Numbers = dict[str, int]


def functionalize(
  function: Callable, specs: Any
) -> tuple[Callable, list[tf.TensorSpec], list[int]]:
  """Separates a program from its variables.

  Args:
    function: Python function of tensors; returns a structure of tensors.
    specs: Structure of `tf.TensorSpec`, its arguments.

  Returns:
    A traced function of the flat arguments and then the variables' values,
    which returns the flat results and then the values that were assigned; the
    variables; and the numbers of those that are assigned.
  """
  # The program may differ where XLA compiles it, as it will.
  compiled = tf.function(function, autograph=False, jit_compile=True)
  traced = compiled.get_concrete_function(*specs)
  graph = traced.graph
  variables: list[tf.TensorSpec] = []
  numbers: _Numbers = {}
  constants: list[tuple[tf.Tensor, tf.Tensor]] = []
  for outer, inner in graph.captures:
    if inner.dtype == tf.resource:
      numbers[inner.name] = len(variables)
      variables.append(_spec_of(outer))
    else:
      constants.append((inner, outer))
  flat = tf.nest.flatten(specs)
  assigned: set[int] = set()

  def pure(*arguments):
    inputs, values = arguments[: len(flat)], list(arguments[len(flat) :])
    replay = _Replay(values)
    tensors = dict(zip([x.name for x in graph.inputs], inputs, strict=False))
    tensors.update({inner.name: outer for inner, outer in constants})
    results = replay.run(graph, tensors, numbers)
    assigned.update(replay.assigned)
    return [*results, *(replay.values[i] for i in sorted(assigned))]

  all_specs = [tf.TensorSpec(s.shape, s.dtype) for s in flat]
  all_specs += variables
  program = tf.function(pure, autograph=False, jit_compile=True)
  return program.get_concrete_function(*all_specs), variables, sorted(assigned)


def _spec_of(handle: tf.Tensor) -> tf.TensorSpec:
  """What a variable holds, by its handle."""
  (held,) = handle._handle_data.shape_and_type
  shape = tf.TensorShape([axis.size for axis in held.shape.dim])
  return tf.TensorSpec(shape, tf.dtypes.as_dtype(held.dtype))


class _Replay:
  """Writes graphs into the default one, with values in place of variables."""

  def __init__(self, values: Sequence[tf.Tensor]):
    self.values = list(values)
    self.assigned: set[int] = set()

  def run(
    self, graph: tf.Graph, tensors: dict[str, tf.Tensor], numbers: _Numbers
  ) -> list[tf.Tensor]:
    """Replays a function's graph.

    Args:
      graph: Its operations are in the order of the program.
      tensors: The arguments, by name; filled with all values.
      numbers: The variables, by the name of their handles.

    Returns:
      The results.
    """
    for op in graph.get_operations():
      if op.type == 'Placeholder':
        continue
      self._replay(op, tensors, numbers)
    return [tensors[y.name] for y in graph.outputs if y.dtype != tf.resource]

  def _replay(self, op, tensors, numbers) -> None:
    handles = [numbers[x.name] for x in op.inputs if x.dtype == tf.resource]
    inputs = [tensors[x.name] for x in op.inputs if x.dtype != tf.resource]
    if op.type in ('PartitionedCall', 'StatefulPartitionedCall'):
      results = self._call(op, inputs, handles)
    elif op.type in ('While', 'StatelessWhile'):
      results = self._loop(op, inputs, handles)
      names = [y.name for y in op.outputs if y.dtype != tf.resource]
      tensors.update(zip(names, results, strict=True))
      of_resources = [y.name for y in op.outputs if y.dtype == tf.resource]
      numbers.update(zip(of_resources, handles, strict=True))
      return
    elif op.type in ('If', 'StatelessIf'):
      results = self._branch(op, inputs, handles)
    elif op.type in _OF_VARIABLES:
      results = self._on_variables(op, inputs, handles)
    elif handles:
      if op.type == 'Identity':
        numbers[op.outputs[0].name] = handles[0]
        return
      raise NotImplementedError(f'{op.type} of a variable, in {op.name}')
    else:
      results = _copy(op, inputs)
    names = [y.name for y in op.outputs]
    tensors.update(zip(names, results, strict=True))

  def _call(self, op, inputs, handles):
    (graph,) = graph_costs.called_graphs(op)
    return self.run(graph, *_bind(graph, inputs, handles))

  def _loop(self, op, inputs, handles):
    cond, body = graph_costs.called_graphs(op, ('cond', 'body'))

    def run(graph):
      return lambda *state: self._reading(graph, state, handles)

    return tf.while_loop(
      lambda *state: tf.reshape(run(cond)(*state)[0], []),
      run(body),
      inputs,
      shape_invariants=[x.shape for x in inputs],
    )

  def _branch(self, op, inputs, handles):
    graphs = graph_costs.called_graphs(op, ('then_branch', 'else_branch'))
    branches = [
      lambda graph=graph: self._reading(graph, inputs[1:], handles)
      for graph in graphs
    ]
    return tf.cond(inputs[0], *branches)

  def _reading(self, graph, inputs, handles):
    """A part that may not be run, or more than once: it assigns nothing."""
    before = list(self.values)
    results = self.run(graph, *_bind(graph, inputs, handles))
    if any(a is not b for a, b in zip(before, self.values, strict=True)):
      raise NotImplementedError('a loop or branch assigns variables')
    return results

  def _on_variables(self, op, inputs, handles):
    i = handles[0]
    now = self.values[i]
    if op.type == 'ReadVariableOp':
      return [tf.identity(now)]
    if op.type == 'AssignVariableOp':
      self._assign(i, inputs[0])
    elif op.type == 'AssignAddVariableOp':
      self._assign(i, now + inputs[0])
    elif op.type == 'AssignSubVariableOp':
      self._assign(i, now - inputs[0])
    elif op.type == 'ResourceApplyGradientDescent':
      alpha, delta = inputs
      self._assign(i, now - alpha * delta)
    else:
      self._adam(handles, inputs)
    return []

  def _adam(self, handles, inputs):
    """ResourceApplyAdam, by the formula that its documentation states."""
    power_1, power_2, rate, beta_1, beta_2, epsilon, gradient = inputs
    var, m, v = handles
    rate *= tf.sqrt(1 - power_2) / (1 - power_1)
    self._assign(m, self.values[m] + (gradient - self.values[m]) * (1 - beta_1))
    self._assign(
      v, self.values[v] + (gradient**2 - self.values[v]) * (1 - beta_2)
    )
    step = rate * self.values[m] / (tf.sqrt(self.values[v]) + epsilon)
    self._assign(var, self.values[var] - step)

  def _assign(self, i: int, value: tf.Tensor) -> None:
    self.values[i] = value
    self.assigned.add(i)


_OF_VARIABLES = {
  *('ReadVariableOp', 'AssignVariableOp', 'AssignAddVariableOp'),
  *('AssignSubVariableOp', 'ResourceApplyGradientDescent', 'ResourceApplyAdam'),
}


def _bind(graph, inputs, handles):
  """Names the arguments of a function: its tensors, and its variables."""
  resources = [x.name for x in graph.inputs if x.dtype == tf.resource]
  tensors = [x.name for x in graph.inputs if x.dtype != tf.resource]
  return (
    dict(zip(tensors, inputs, strict=True)),
    dict(zip(resources, handles, strict=True)),
  )


def _copy(op: tf.Operation, inputs: Sequence[tf.Tensor]) -> list[tf.Tensor]:
  """The same operation on other inputs."""
  attributes = {
    name: value
    for name, value in op.node_def.attr.items()
    if not name.startswith('_')
  }
  copied = tf.compat.v1.get_default_graph().create_op(
    op.type,
    list(inputs),
    [y.dtype.base_dtype for y in op.outputs],
    name=op.name,
    attrs=attributes,
    op_def=op.op_def,
  )
  return list(copied.outputs)
