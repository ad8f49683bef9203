"""Panoptic maps, with NumPy alone."""
