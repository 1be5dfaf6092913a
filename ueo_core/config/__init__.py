"""What can be chosen: settings, presets, the registry of methods, the learning-rate schedule. No torch."""
