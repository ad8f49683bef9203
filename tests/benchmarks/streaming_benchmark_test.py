"""Tests that the benchmark runs, and that memory and traces stay flat."""

import re
import subprocess
import sys


def test_it_runs():
  run = subprocess.run(
    [
      *(sys.executable, '-m', 'benchmarks.streaming_benchmark'),
      *('--frames=180', '--every=30'),
    ],
    check=True,
    capture_output=True,
    text=True,
  )
  head, *rows, last = run.stdout.splitlines()
  assert head.split() == ['frames', 'MB', 'ms/frame', 'traces']
  rows = [row.split() for row in rows]
  assert [row[0] for row in rows] == ['30', '60', '90', '120', '150', '180']
  assert {row[3] for row in rows} == {'1'}
  assert last.startswith('180 frames; memory varied by ')
  # To keep the pictures or label maps of 120 frames would take 4 MB and more.
  assert float(re.search(r'by ([\d.]+) MB', last)[1]) < 2
