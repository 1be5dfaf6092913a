"""What the page Adapt draws."""
