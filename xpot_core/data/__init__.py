"""Structures with reference values: read, checked and split."""
