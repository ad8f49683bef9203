"""Runs main with flags, in this process."""

from absl import flags
from absl.testing import flagsaver

import main


def run(*arguments):
  """Raises SystemExit, as main does, on an error; flags are as before then."""
  with flagsaver.flagsaver():
    flags.FLAGS(['main', *arguments])
    main.main(['main'])
