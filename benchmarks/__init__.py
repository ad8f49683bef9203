"""Programs that measure."""

from panoptic.console import before_tensorflow  # noqa: F401  # isort: skip
