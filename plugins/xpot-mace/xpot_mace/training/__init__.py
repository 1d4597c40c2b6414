"""A training by mace's own code in a process of its own, driven epoch by epoch."""
