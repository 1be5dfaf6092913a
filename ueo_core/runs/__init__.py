"""Runs: from a queued adaptation to its stored result."""
