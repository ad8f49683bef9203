"""Runs main with flags."""

from absl import app, flags
from absl.testing import flagsaver

import main


def run(*arguments):
  """In this process; raises SystemExit, as main does, on an error.

  Flags are as before then.
  """
  with flagsaver.flagsaver():
    flags.FLAGS(['main', *arguments])
    main.main(['main'])


def start(arguments):
  """Is the whole program of a process; see `processes`."""
  app.run(main.main, argv=['main', *arguments])
