"""Molecular dynamics: stages, guards, and what is seen in a run."""
