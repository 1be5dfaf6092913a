"""The training loop and the safety check after it."""
