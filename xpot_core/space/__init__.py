"""The search space: read from a study file, and the trials made in it."""
