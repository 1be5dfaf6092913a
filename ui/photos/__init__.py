"""What the page Photos draws."""
