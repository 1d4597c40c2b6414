"""A study read back."""
