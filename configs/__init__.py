"""Experiments, by name."""
