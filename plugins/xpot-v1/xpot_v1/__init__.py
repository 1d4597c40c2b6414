"""Inputs of the published XPOT (1.x) as study files."""
