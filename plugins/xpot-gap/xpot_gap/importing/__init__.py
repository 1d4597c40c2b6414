"""Fits that others wrote down for gap_fit become studies."""
