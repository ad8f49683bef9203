"""Tests that the benchmark runs, and that memory and traces stay flat."""

import re
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_it_runs():
  run = subprocess.run(
    [
      *(sys.executable, '-m', 'benchmarks.streaming_benchmark'),
      *('--frames=300', '--every=50'),
    ],
    check=True,
    capture_output=True,
    text=True,
  )
  head, *rows, last = run.stdout.splitlines()
  assert head.split() == ['frames', 'MB', 'ms/frame', 'traces']
  rows = [row.split() for row in rows]
  assert [row[0] for row in rows] == [str(50 * i) for i in range(1, 7)]
  assert {row[3] for row in rows} == {'1'}
  assert last.startswith('300 frames; memory varied by ')
  # To keep the segment ids of the 150 frames compared would take 2.4 MB.
  assert float(re.search(r'by ([\d.]+) MB', last)[1]) < 2
