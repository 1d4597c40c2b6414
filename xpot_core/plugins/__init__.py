"""Contracts of plugins, the hooks, and how plugins are found and contained."""
