"""Figures about the trials of a search."""
