"""What one trains and scores."""
