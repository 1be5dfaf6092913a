"""Adapter files, and predictions with them."""
