"""Passes over all structures in worker processes: what is done to each, and what all of it needs."""
