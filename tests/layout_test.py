"""Tests of the house: where imports may point, and what needs TensorFlow."""

import ast
import pathlib
import subprocess
import sys

import pytest

_ROOT = pathlib.Path(__file__).resolve().parents[1]
# A module imports from its own storey and from those above it in this list.
# Storeys of one line do not import each other.
_STOREYS = (
  ('panoptic',),
  ('configs',),
  ('models', 'data'),
  ('metrics',),
  ('tasks',),
  ('training',),
  ('export',),
  ('main', 'benchmarks'),
  ('colabs',),
)
_DATA_STOREYS = (
  ('data.reading', 'data.instance_ids', 'data.dataset'),
  ('data.tfds', 'data.verify'),
  ('data.datasets', 'data.folder'),
  ('data.sources',),
  ('data.registry',),
  ('data',),
)
# Importing TensorFlow takes seconds, and some machines do not have it.
_WITHOUT_TENSORFLOW = (
  'panoptic',
  'metrics',
  'data.registry',
  'data.verify',
  'data.check',
  'tasks.scorer',
  'tasks.visualization',
  'tasks.prediction.image_files',
  'tasks.prediction.result',
  'data.folder',
  'colabs.notebook',  # Installs TensorFlow in Colab.
)


def _modules() -> dict[str, pathlib.Path]:
  packages = {name for storey in _STOREYS for name in storey}
  found = {}
  for path in _ROOT.rglob('*.py'):
    parts = path.relative_to(_ROOT).with_suffix('').parts
    if parts[0] in packages:
      parts = parts[:-1] if parts[-1] == '__init__' else parts
      found['.'.join(parts)] = path
  return found


_MODULES = _modules()


def _imports(name: str) -> set[str]:
  """The project's modules that a module imports, also inside functions."""
  found = set()
  tree = ast.parse(_MODULES[name].read_text())
  for_types = {
    line
    for node in ast.walk(tree)
    if isinstance(node, ast.If) and ast.unparse(node.test) == 'TYPE_CHECKING'
    for line in range(node.lineno, (node.end_lineno or 0) + 1)
  }
  for node in ast.walk(tree):
    if getattr(node, 'lineno', 0) in for_types:
      continue  # Never run.
    if isinstance(node, ast.Import):
      found |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom) and not node.level:
      for alias in node.names:
        whole = f'{node.module}.{alias.name}'
        found.add(whole if whole in _MODULES else node.module)
  return {module for module in found if module in _MODULES}


def _storey(name: str, storeys) -> tuple[int, str] | None:
  """The number of a module's storey, and the name that it goes by there."""
  for number, names in enumerate(storeys):
    for start in names:
      if name == start or name.startswith(f'{start}.'):
        return number, start
  return None


@pytest.mark.parametrize('storeys', [_STOREYS, _DATA_STOREYS])
def test_imports_never_run_up(storeys):
  for name in _MODULES:
    place = _storey(name, storeys)
    for imported in _imports(name) if place else ():
      other = _storey(imported, storeys)
      if other is None or other[1] == place[1]:
        continue
      assert other[0] < place[0], f'{name} imports {imported}'


def test_imports_go_in_no_circle():
  done, under_way = set(), []

  def visit(name):
    assert name not in under_way, f'{" -> ".join([*under_way, name])}'
    if name in done:
      return
    under_way.append(name)
    for imported in sorted(_imports(name)):
      visit(imported)
    under_way.pop()
    done.add(name)

  for name in sorted(_MODULES):
    visit(name)


def test_no_folder_is_a_heap():
  folders = {}
  for path in _MODULES.values():
    folders.setdefault(path.parent, []).append(path.name)
  for folder, names in folders.items():
    assert len(set(names) - {'__init__.py'}) <= 16, folder


@pytest.mark.parametrize('package', _WITHOUT_TENSORFLOW)
def test_what_works_without_tensorflow(package):
  names = [n for n in _MODULES if n == package or n.startswith(f'{package}.')]
  assert names
  code = (
    'import sys; sys.modules.update(tensorflow=None, tensorflow_datasets=None);'
    f'import {", ".join(names)}'
  )
  subprocess.run([sys.executable, '-c', code], check=True, cwd=_ROOT)
