"""Learn: the method as something one can touch. Importing this loads no torch."""
