"""UEO and its baselines, one module per method: losses are pure functions of logits or features."""
