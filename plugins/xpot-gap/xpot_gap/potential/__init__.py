"""A fitted GAP: its files, their evaluation, what runs them elsewhere."""
