"""Learn: an interactive explanation of the method. Importing this package loads no torch."""
