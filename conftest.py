"""Lets tests import the project's packages from wherever pytest starts."""

import os
import pathlib
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
# As programs do, which saves a second and a half a process.
os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')
# Programs run for a moment here: to optimize their code takes longer.
os.environ.setdefault(
  'XLA_FLAGS',
  '--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true',
)
_ROOT = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(_ROOT), str(_ROOT / 'tests')]
