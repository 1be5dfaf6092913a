"""The comparison of methods over category shifts and seeds."""
