"""What the page Learn draws."""
