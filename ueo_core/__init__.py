"""UEO Studio's core: adapt CLIP to unlabeled images with Universal Entropy Optimization."""

__version__ = "1.0.0"  # written into every adapter and report
