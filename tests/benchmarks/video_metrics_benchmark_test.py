"""Tests that the benchmark runs, and that both formulations agree."""

import subprocess
import sys


def test_it_runs():
  run = subprocess.run(
    [
      *(sys.executable, '-m', 'benchmarks.video_metrics_benchmark'),
      *('--shrink=10', '--frames=1', '--rounds=1'),
    ],
    check=True,
    capture_output=True,
    text=True,
  )
  lines = run.stdout.splitlines()
  assert lines[0].split() == ['ms/frame', 'ours', 'plain', 'ratio']
  assert [line.split(',')[0] for line in lines[1:]] == [
    'STQ',
    'VPQ',
    'STQ and VPQ',
    'J&F semi-supervised',
    'J&F unsupervised',
    'J&F unsupervised',
    'both agree on all figures',
  ]
