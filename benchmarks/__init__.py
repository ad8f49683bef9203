"""Programs that measure."""

from panoptic.console import quiet  # noqa: F401  Before TensorFlow.
