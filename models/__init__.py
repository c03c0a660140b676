"""What a model is and how to run it."""
