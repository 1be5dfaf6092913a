"""What the page Inspect draws."""
