"""Tasks: what is trained, scored and predicted with."""
