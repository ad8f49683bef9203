"""Notebooks, and the command that refreshes their outputs."""

from panoptic.console import before_tensorflow  # noqa: F401  # isort: skip
