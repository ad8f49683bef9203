"""Tests that the benchmark runs, and that memory and traces stay flat."""

import re
import subprocess
import sys


def test_it_runs():
  run = subprocess.run(
    [
      *(sys.executable, '-m', 'benchmarks.streaming_benchmark'),
      *('--frames=60', '--every=10'),
    ],
    check=True,
    capture_output=True,
    text=True,
  )
  head, *rows, last = run.stdout.splitlines()
  assert head.split() == ['frames', 'MB', 'ms/frame', 'traces']
  rows = [row.split() for row in rows]
  assert [row[0] for row in rows] == ['10', '20', '30', '40', '50', '60']
  assert {row[3] for row in rows} == {'1'}
  assert last.startswith('60 frames; memory varied by ')
  assert float(re.search(r'by ([\d.]+) MB', last)[1]) < 50
