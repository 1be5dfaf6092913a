"""What became of each rate, from a run's trials."""
