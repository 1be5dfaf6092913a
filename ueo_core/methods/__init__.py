"""UEO and its baselines, one file a method: pure functions of logits or features."""
