"""What leaves a run: its weights alone, and a model that is served."""
