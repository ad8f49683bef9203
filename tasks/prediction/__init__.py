"""What `predictor` is made of: settings, compiled programs and results."""
