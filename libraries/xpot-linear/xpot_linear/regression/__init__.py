"""Weights to coefficients to errors on the blocks of a design, and the gradient back."""
