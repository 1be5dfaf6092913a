"""What the page Start draws."""
