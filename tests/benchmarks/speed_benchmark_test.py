"""Tests that the benchmark runs."""

import subprocess
import sys

import pytest

_TINY = ','.join(
  [
    'image_size=[32,32]',
    'mask_size=[8,8]',
    'bits=2',
    'num_classes=4',
    'max_instances=4',
    'encoder.resnet.depth=18',
    'encoder.resnet.width_multiplier=0.125',
    'encoder.dim=8',
    'encoder.num_layers=1',
    'encoder.num_heads=2',
    'encoder.mlp_dim=16',
    'encoder.feature_dim=8',
    'decoder.dim=8',
    'decoder.channel_multipliers=[1,1]',
    'decoder.transformer_dim=16',
    'decoder.transformer_layers=1',
    'decoder.head_dim=8',
  ]
)


@pytest.mark.slow
def test_it_runs():
  run = subprocess.run(
    [
      *(sys.executable, '-m', 'benchmarks.speed_benchmark'),
      *(f'--model_override={_TINY}', '--steps=2', '--runs=1'),
      *('--peak_scale=16', '--precision=float32'),
    ],
    check=True,
    capture_output=True,
    text=True,
  )
  lines = run.stdout.splitlines()
  assert [line.split(',')[0].split(' step')[0] for line in lines[-2:]] == [
    'sampling',
    'training',
  ]
  assert all('of conv' in line for line in lines[-2:])
