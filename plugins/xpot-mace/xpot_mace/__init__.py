"""MACE networks for XPOT."""
