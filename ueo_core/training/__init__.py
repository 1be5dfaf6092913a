"""The training loop, quick mode's cached activations and the safety check."""
