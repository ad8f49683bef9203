"""Tests that the benchmark runs, and that all implementations agree."""

import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize('speckle', ['0', '0.05'])
def test_it_runs(speckle):
  run = subprocess.run(
    [
      *(sys.executable, '-m', 'benchmarks.panoptic_quality_benchmark'),
      *('--images=2', f'--speckle={speckle}'),
    ],
    check=True,
    capture_output=True,
    text=True,
  )
  assert 'ours, in memory' in run.stdout
  assert 'tf-models-official, in memory' in run.stdout
  assert run.stdout.splitlines()[-1].endswith('the same by all')
