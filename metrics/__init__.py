"""Exact metrics, free of TensorFlow."""
