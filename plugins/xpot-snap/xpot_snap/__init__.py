"""SNAP and quadratic SNAP potentials for XPOT."""

__version__ = "0.1.0"
