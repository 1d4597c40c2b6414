"""Gaussian approximation potentials for XPOT."""
