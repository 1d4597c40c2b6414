"""Contracts of plugins, their hooks, and how they are found."""
