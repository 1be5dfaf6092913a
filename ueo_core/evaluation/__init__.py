"""Scores and metrics of predictions, thresholds, and the rule of the safety check: arrays in, numbers out."""
