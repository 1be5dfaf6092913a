"""What the page Use draws."""
