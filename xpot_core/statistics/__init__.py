"""Errors structure by structure: what makes them, how sure they are, what differs by more than chance."""
