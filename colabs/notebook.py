"""What notebooks need around their cells: packages, changing pictures."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import metadata

from IPython import display
from packaging import requirements

from panoptic import files
from panoptic.console import before_tensorflow

QUICK = 'PIX2SEQ_D_QUICK'  # In the environment: small budgets, for tests.
_REQUIREMENTS, _CONSTRAINTS = 'requirements.txt', 'constraints.txt'
_OF_TESTS = '# Tests, style and types.'  # What follows is not for notebooks.
_SECONDS = 1.0  # Between two looks at a file.


def start() -> None:
  """Imports TensorFlow without its lines; in Colab installs what is missing.

  The working folder is the project's root.

  Raises:
    SystemExit: If packages were installed; says to restart the session, since
      some may have been imported already.
  """
  if 'google.colab' in sys.modules:
    install()
  import tensorflow

  before_tensorflow.hush_absl()
  # A notebook samples in many ways, each by a graph; TensorFlow advises not to.
  tensorflow.get_logger().setLevel('ERROR')
  if QUICK in os.environ:  # To rewrite graphs takes longer than they run.
    tensorflow.config.optimizer.set_experimental_options(
      {'disable_meta_optimizer': True}
    )


def install() -> None:
  """Installs what the project needs where it is missing in its version.

  Raises:
    SystemExit: If something was installed.
    subprocess.CalledProcessError: If pip failed; its lines say why.
  """
  needed = unmet(files.read_text(_REQUIREMENTS))
  if not needed:
    return
  pip = [sys.executable, '-m', 'pip', 'install', '-q', '-c', _CONSTRAINTS]
  subprocess.run([*pip, *needed], check=True)
  sys.exit(
    f'{len(needed)} packages were installed: choose "Restart session" in the '
    'menu "Runtime", and run the notebook from its first cell again.'
  )


def unmet(text: str) -> list[str]:
  """Lines of requirements that the installed packages do not meet.

  Args:
    text: Of requirements.txt; the packages of tests, which are its last part,
      are left out. (A notebook's kernel is among them, and Colab has its own.)
  """
  found = []
  for line in text.partition(_OF_TESTS)[0].splitlines():
    if not line or line.startswith(('#', '-')):
      continue
    requirement = requirements.Requirement(line)
    try:
      version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
      found.append(line)
      continue
    if not requirement.specifier.contains(version, prereleases=True):
      found.append(line)
  return found


@contextlib.contextmanager
def watched(path: str | os.PathLike) -> Iterator[None]:
  """Shows a picture below the cell, and anew whenever its file changes.

  Args:
    path: Of a PNG, which need not be there yet.
  """
  nothing = {'text/plain': ''}
  handle = display.display(nothing, raw=True, display_id=True)
  over = threading.Event()
  shown = None

  def look() -> None:
    nonlocal shown
    if files.is_file(path) and (now := files.size_and_time(path)) != shown:
      handle.update(display.Image(files.read_bytes(path), format='png'))
      shown = now

  def watch() -> None:
    while not over.wait(_SECONDS):
      look()

  thread = threading.Thread(target=watch, daemon=True)
  thread.start()
  try:
    yield
  finally:
    over.set()
    thread.join()
    look()
