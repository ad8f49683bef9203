"""Programs that measure."""

from panoptic import quiet  # noqa: F401  Before TensorFlow.
