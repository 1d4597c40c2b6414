"""Weighted least squares from one Gram matrix or from rows, with the condition of the problem told."""
