"""Lets the networks' tests import the golden cases' helper."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
