"""Environments of the atoms of a structure: descriptors with their gradients."""
