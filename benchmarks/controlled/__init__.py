"""Small controlled experiments on what the paper claims."""
