"""Finds the reference material that some tests compare with."""

import os
import pathlib

import pytest

_ROOT = pathlib.Path(
  os.environ.get('PIX2SEQ_D_SHARED')
  or pathlib.Path(__file__).resolve().parents[2] / 'shared'
)


def path(*parts: str) -> pathlib.Path:
  """The path of a piece of reference material; skips where it is absent."""
  found = _ROOT.joinpath(*parts)
  if not found.exists():
    pytest.skip(
      f'{found} is absent: set PIX2SEQ_D_SHARED to the folder that holds the '
      'golden checkpoints and real data'
    )
  return found
