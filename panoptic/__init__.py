"""Panoptic maps and their classes, files and drawings, with NumPy alone."""
