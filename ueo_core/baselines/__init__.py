"""Methods that are not the loop: they work on features that were computed once."""
