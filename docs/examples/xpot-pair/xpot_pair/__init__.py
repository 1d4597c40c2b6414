"""XPOT plugin: linear pair potentials."""
