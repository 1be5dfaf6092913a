"""What every room may use: errors, paths, whole files, background jobs, memory, precision."""
