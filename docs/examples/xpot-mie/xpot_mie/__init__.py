"""XPOT plugin: Mie pair potentials."""
