"""From a saved adapter and images to predictions."""
