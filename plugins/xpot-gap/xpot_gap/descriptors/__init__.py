"""Descriptors of a GAP and their options."""
