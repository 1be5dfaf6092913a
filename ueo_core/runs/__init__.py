"""Runs: what carries an adaptation from a queued request to a kept result."""
