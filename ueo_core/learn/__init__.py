"""Learn: an interactive explanation of the method. Importing this loads no torch."""
