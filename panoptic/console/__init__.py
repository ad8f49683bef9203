"""Command lines: flags, one-line errors, progress, and spelling."""
